package record

import (
	"math"
	"strconv"
)

// discordEpoch is 2015-01-01T00:00:00Z in Unix milliseconds: no snowflake, and no Lanyard date, is older.
const discordEpoch = 1420070400000

// UserID is a Discord snowflake. Zero is no user.
type UserID uint64

// ParseUserID reads the decimal digits of 1 to 2^64-1, without sign and without leading zero. Of anything else it returns
// zero and false.
func ParseUserID(s string) (UserID, bool) {
	if len(s) == 0 || len(s) > 20 || s[0] < '1' || s[0] > '9' {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, false
	}
	return UserID(n), true
}

// WholeUserID returns the user whose id a number is: an int64, or a float64 that gives it exactly, which is below 2^53, as
// others may have been rounded. Of anything else it returns zero and false.
func WholeUserID(v Value) (UserID, bool) {
	switch n := v.(type) {
	case int64:
		return UserID(max(n, 0)), n > 0
	case float64:
		if n >= 1 && n < 1<<53 && n == math.Trunc(n) {
			return UserID(n), true
		}
	}
	return 0, false
}

// String returns the id's decimal digits.
func (id UserID) String() string { return strconv.FormatUint(uint64(id), 10) }

// Created returns the account's creation time in Unix milliseconds, which stands in the upper 42 bits of a snowflake.
func (id UserID) Created() int64 { return int64(id>>22) + discordEpoch }
