package dated

import (
	"fmt"
	"strconv"
	"time"
)

// date returns a value for a place: most often a plausible date, which counts.
func (u *userMaker) date(place string, earliest *int64) any {
	if u.IntN(5) == 0 {
		u.World.Implausible[place]++
		return u.implausible()
	}
	d := u.created + u.Int64N(u.now.Unix()-u.created)
	v, d := u.form(d)
	*earliest = least(*earliest, d)
	return v
}

// form returns a date in one of the forms that forks have written, and the date that it says, which may be without the
// time of day.
func (u *userMaker) form(d int64) (any, int64) {
	t := time.Unix(d, u.Int64N(1000)*int64(time.Millisecond)).UTC()
	switch u.IntN(18) {
	case 0:
		return int32(d), d
	case 1:
		return t.UnixMilli(), d
	case 2:
		return t.UnixMicro(), d
	case 3:
		return float64(d), d
	case 4:
		return float64(d) + 0.5, d
	case 5:
		return float64(t.UnixMilli()), d
	case 6:
		return t.Truncate(time.Millisecond), d
	case 7:
		return strconv.FormatInt(d, 10), d
	case 8:
		return strconv.FormatInt(t.UnixMilli(), 10), d
	case 9:
		return " " + strconv.FormatInt(d, 10) + ".25 ", d
	case 10:
		return t.Format("2006-01-02T15:04:05Z"), d
	case 11:
		return t.Format("2006-01-02T15:04:05.000000"), d
	case 12:
		return t.In(time.FixedZone("", 5*3600+1800)).Format("2006-01-02 15:04:05.000-07:00"), d
	case 13:
		if midnight := d - d%86400; midnight >= u.created {
			return t.Format("2006-01-02"), midnight
		}
	}
	return d, d
}

// implausible returns what is no date, or one that cannot be true.
func (u *userMaker) implausible() any {
	list := []any{
		nil, true, "", "soon", "2022-13-01", "NaN", "0x10", map[string]any{"date": int32(1)}, []any{int32(1)},
		int32(0), int32(-1), int64(-1650000000), 0.0, -1.5, int64(1e18), "99999999999999999999",
		int64(1230768000),                              // 2009
		"2009-01-01T00:00:00Z",                         //
		time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC),    //
		u.created - 1,                                  // a second before the account
		(u.created - 86400) * 1000,                     // a day before, in milliseconds
		u.now.Add(26 * time.Hour).Unix(),               // too far ahead
		fmt.Sprint(u.now.AddDate(1, 0, 0).UnixMilli()), //
	}
	return list[u.IntN(len(list))]
}
