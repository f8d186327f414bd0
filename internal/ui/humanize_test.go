package ui

import (
	"testing"
	"time"
)

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 1e12: "1,000,000,000,000"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 s", 1234 * time.Millisecond: "1.2 s", 59900 * time.Millisecond: "59.9 s", 192 * time.Second: "3 min 12 s",
		125*time.Minute + 20*time.Second: "2 h 5 min", 59960 * time.Millisecond: "1 min 0 s", time.Hour - time.Millisecond: "1 h 0 min",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestPlurals(t *testing.T) {
	for noun, want := range map[string]string{"key": "2 keys", "library": "2 libraries", "record": "2 records"} {
		if one, got := Plural(1, noun), Plural(2, noun); got != want || one != "1 "+noun {
			t.Errorf("%s, %s", one, got)
		}
	}
}

func TestSizesOfFiles(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 KB", 9949: "9.9 KB", 216123: "216 KB",
		999600: "1.0 MB", 12e9: "12 GB", 5e15: "5000 TB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
