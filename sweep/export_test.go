package sweep

// YearOf returns the year of a date in UTC.
var YearOf = yearOf
