package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// thousands writes n with a comma between each three digits.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + several(noun)
}

// several returns the plural of a noun.
func several(noun string) string {
	if stem, ok := strings.CutSuffix(noun, "y"); ok && strings.TrimRight(stem, "aeiou") == stem {
		return stem + "ies"
	}
	return noun + "s"
}

// byteText writes n bytes as people say it: "216 KB".
func byteText(n int64) string {
	if n < 1000 {
		return plural(n, "byte")
	}
	size := float64(n)
	units := []string{"KB", "MB", "GB", "TB"}
	for i, unit := range units {
		size /= 1000
		switch {
		case size < 9.95:
			return fmt.Sprintf("%.1f %s", size, unit)
		case size < 999.5 || i == len(units)-1:
			return fmt.Sprintf("%.0f %s", size, unit)
		}
	}
	return ""
}

// duration writes d as people say it: "0.4 s", "3 min 12 s", "2 h 5 min".
func duration(d time.Duration) string {
	if d.Round(100*time.Millisecond) < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	if d = d.Round(time.Second); d < time.Hour {
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}
