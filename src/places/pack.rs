fn main() {
    println!("{}", cities_json::CITIES.len());
}
