mod places;
