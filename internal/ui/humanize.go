package ui

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
)

// Names returns what the values are called.
func Names[T fmt.Stringer](list []T) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return texts
}

// Thousands writes n with a comma between each three digits.
func Thousands(n int64) string { return humanize.Comma(n) }

// Plural writes n things: "1 key", "1,234 keys".
func Plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Thousands(n) + " " + Several(noun)
}

// Several returns the plural of a noun.
func Several(noun string) string { return english.PluralWord(2, noun, "") }

// Bytes writes n bytes as people say it: "216 KB". [humanize.Bytes] says kB, and half a unit more or less.
func Bytes(n int64) string {
	if n < 1000 {
		return Plural(n, "byte")
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

// Duration writes d as people say it: "0.4 s", "3 min 12 s", "2 h 5 min".
func Duration(d time.Duration) string {
	if d.Round(100*time.Millisecond) < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	if d = d.Round(time.Second); d < time.Hour {
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}
