package main

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// autoInt is a flag with a number from 1 to max. Without one, the command chooses what suits the servers, unless none says
// what that means.
type autoInt struct {
	n, max int
	none   string
}

// String implements [pflag.Value].
func (a *autoInt) String() string {
	if a.n == 0 {
		return cmp.Or(a.none, "auto")
	}
	return strconv.Itoa(a.n)
}

// Set implements [pflag.Value].
func (a *autoInt) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > a.max {
		return exit.WrongUse(fmt.Sprintf("%s is not a whole number from 1 to %d", typedText(text), a.max), "write its digits alone")
	}
	a.n = n
	return nil
}

// Type implements [pflag.Value].
func (*autoInt) Type() string { return "number" }

// or returns the number that was given, else n.
func (a *autoInt) or(n int) int {
	if a.n == 0 {
		return n
	}
	return a.n
}

// size is a flag with a number of bytes, from a megabyte on.
type size struct {
	bytes, most int64
	text        string // as it was typed
}

// sizeOf returns the flag with its default, which is whole mebibytes.
func sizeOf(bytes, most int64) size {
	return size{bytes, most, fmt.Sprintf("%dMiB", bytes/humanize.MiByte)}
}

// String implements [pflag.Value].
func (s *size) String() string { return s.text }

// Set implements [pflag.Value]. A number alone is refused, since nobody can know what was meant.
func (s *size) Set(text string) error {
	number := strings.TrimSpace(text)
	n, err := humanize.ParseBytes(number)
	limits := fmt.Sprintf("give 1MB to %s", strings.ReplaceAll(humanize.IBytes(uint64(s.most)), ".0 ", ""))
	switch {
	case strings.Contains(number, ","): // which is passed over, so that 1,5GiB would be 15
		return exit.WrongUse(typedText(text)+" has a comma", "write a point, such as 1.5GiB")
	case strings.Trim(number, "0.") == "": // whatever its unit
		return exit.WrongUse(typedText(text)+" is too little", limits)
	case strings.Trim(number, "0123456789.") == "":
		return exit.WrongUse(typedText(text)+" has no unit", "say the unit, such as "+number+"MiB")
	case err != nil:
		return exit.WrongUse(typedText(text)+" is no size", "such as 64MiB, 512MB or 1.5GiB")
	case n < humanize.MByte:
		return exit.WrongUse(typedText(text)+" is too little", limits)
	case n > uint64(s.most):
		return exit.WrongUse(typedText(text)+" is too much", limits)
	}
	s.bytes, s.text = int64(n), number
	return nil
}

// Type implements [pflag.Value].
func (*size) Type() string { return "size" }

// duration is a flag with a duration as people write it: beside Go's form also "10 s", "5 minutes" and "2d".
type duration struct{ *time.Duration }

// durationOf returns the flag that sets d, which is the default until then.
func durationOf(d *time.Duration, byDefault time.Duration) duration {
	*d = byDefault
	return duration{d}
}

// Set implements [pflag.Value].
func (d duration) Set(text string) (err error) {
	*d.Duration, err = parseDuration(text)
	return err
}

// Type implements [pflag.Value].
func (duration) Type() string { return "duration" }

// durationPart matches a number with its unit at the beginning of a duration.
var durationPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*`)

// durationUnits are the units by their names, as [time.ParseDuration] knows them or as so many hours.
var durationUnits = map[string]struct {
	unit  string
	times time.Duration
}{
	"ms": {"ms", 1}, "millisecond": {"ms", 1},
	"s": {"s", 1}, "sec": {"s", 1}, "second": {"s", 1},
	"m": {"m", 1}, "min": {"m", 1}, "minute": {"m", 1},
	"h": {"h", 1}, "hr": {"h", 1}, "hour": {"h", 1},
	"d": {"h", 24}, "day": {"h", 24},
	"w": {"h", 7 * 24}, "week": {"h", 7 * 24},
}

func parseDuration(text string) (total time.Duration, err error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	const such = "such as 10s, 2m, 1h30m or 2d"
	wrong := exit.WrongUse(typedText(text)+" is no duration", such)
	rest := strings.TrimSpace(text)
	if strings.Contains(rest, ",") {
		return 0, exit.WrongUse(typedText(text)+" has a comma", "write a point where a fraction is meant, such as 1.5s")
	}
	if rest == "" {
		return 0, wrong
	}
	for rest != "" {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return 0, wrong
		}
		name := part[2]
		if name != "M" { // which may be a month
			name = strings.ToLower(name)
		}
		unit, known := durationUnits[name]
		if !known {
			unit, known = durationUnits[strings.TrimSuffix(name, "s")]
		}
		switch {
		case name == "" && part[0] == text:
			return 0, exit.WrongUse(typedText(text)+" has no unit", fmt.Sprintf("say the unit: %[1]ss, %[1]sm or %[1]sh", part[1]))
		case name == "":
			return 0, exit.WrongUse(typedText(text)+" has a number without a unit", "say each unit, "+such)
		case !known:
			return 0, wrong
		}
		d, err := time.ParseDuration(part[1] + unit.unit)
		if err != nil || d > math.MaxInt64/unit.times || total > math.MaxInt64-d*unit.times {
			return 0, exit.WrongUse(typedText(text)+" is too long", such)
		}
		total += d * unit.times
		rest = rest[len(part[0]):]
	}
	return total, nil
}
