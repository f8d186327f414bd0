package main

import (
	"time"

	"github.com/lanyardctl/lanyardctl/migrate"
)

// migration is everything that a report of a migration shows. Its texts hold no secret.
type migration struct {
	pairFacts
	Report migrate.Report
}

// migrationName is how the command is called, in its report and in what to type next.
const migrationName = "migrate redis-to-mongo"

// jsonTime is how reports write a time: RFC 3339 in UTC, with milliseconds.
const jsonTime = "2006-01-02T15:04:05.000Z"

func utc(t time.Time) string { return t.UTC().Format(jsonTime) }
