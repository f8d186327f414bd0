package report

import (
	"io"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// sweepingJSON is the report of "sweep --output json". Scripts read it: names and order stay as they are.
type sweepingJSON struct {
	Command            string         `json:"command"`
	SweepID            *string        `json:"sweep_id"`
	Target             string         `json:"target"`
	Database           string         `json:"database"`
	Users              int64          `json:"users"`
	Changed            int64          `json:"changed"`
	Unchanged          int64          `json:"unchanged"`
	Created            int64          `json:"created"`
	Merged             int64          `json:"merged"`
	Undated            int64          `json:"undated"`
	Left               int64          `json:"left"`
	Sources            object         `json:"sources"`
	YearsBefore        map[int]int64  `json:"years_before"`
	YearsAfter         map[int]int64  `json:"years_after"`
	Largest            []recoveryJSON `json:"largest"`
	DecidedByUserDates int64          `json:"decided_by_user_dates"`
	KVDates            string         `json:"kv_dates"`
	Collections        object         `json:"collections"`
	Leftovers          []leftoverJSON `json:"leftovers"`
	LeftoversTotal     int64          `json:"leftovers_total"`
	Changes            int64          `json:"changes"`
	DryRun             bool           `json:"dry_run"`
	Check              bool           `json:"check"`
	Dedupe             bool           `json:"dedupe"`
	Now                string         `json:"now"` // by which dates were judged
	endJSON
}

// endJSON ends the report of every command of the sweeps.
type endJSON struct {
	Warnings   []string `json:"warnings"`
	StartedAt  string   `json:"started_at"`
	DurationMS int64    `json:"duration_ms"`
	OK         bool     `json:"ok"`
	Error      string   `json:"error,omitempty"`
}

type placeJSON struct {
	Documents   int64                   `json:"documents"`
	Nobodys     int64                   `json:"nobodys"`
	Candidates  int64                   `json:"candidates"`
	Implausible map[record.Reason]int64 `json:"implausible"`
	Won         int64                   `json:"won"`
}

// recoveryJSON has times in Unix seconds; from is null where there was none.
type recoveryJSON struct {
	UserID string `json:"user_id"`
	From   *int64 `json:"from"`
	To     int64  `json:"to"`
	Source string `json:"source"`
}

type collectionJSON struct {
	Documents  int64    `json:"documents"`
	Nobodys    int64    `json:"nobodys"`
	Numeric    int64    `json:"numeric"`
	Duplicates int64    `json:"duplicates"`
	Keyless    int64    `json:"keyless"`
	Examples   []string `json:"examples"`
	Merged     int64    `json:"merged"`
	Renamed    int64    `json:"renamed"`
	Removed    int64    `json:"removed"`
	Left       int64    `json:"left"`
}

type leftoverJSON struct {
	Collection record.Collection `json:"collection"`
	UserID     *string           `json:"user_id"`
	Reason     sweep.LeftReason  `json:"reason"`
}

// WriteJSON writes s as one indented JSON object. Every text in it is already without secrets.
func (s Sweep) WriteJSON(w io.Writer) error {
	r := s.Report
	out := sweepingJSON{
		Command: invocation.Sweep, SweepID: orNull(r.ID), Target: s.Target, Database: s.Database,
		Users: r.Users, Changed: r.Changed, Unchanged: r.Unchanged, Created: r.Created, Merged: r.Merged, Undated: r.Undated, Left: r.Left,
		YearsBefore: orEmpty(r.Before), YearsAfter: orEmpty(r.After), Largest: []recoveryJSON{},
		DecidedByUserDates: r.ByUsers, KVDates: s.UserDates.String(),
		Leftovers: leftoversJSON(r.Leftovers), LeftoversTotal: r.LeftoversTotal,
		Changes: r.Changes, DryRun: r.DryRun, Check: s.Check, Dedupe: r.Dedupe, Now: utc(s.Now),
		endJSON: s.End(utc(r.StartedAt), r.Duration.Milliseconds()),
	}
	for _, p := range r.Places {
		out.Sources = append(out.Sources, member{p.Place.Name, placeJSON{p.Documents, p.Nobodys, p.Candidates, orEmpty(p.Implausible), p.Won}})
	}
	for _, f := range r.Collections {
		out.Collections = append(out.Collections, member{f.Collection.String(), collectionJSON{
			f.Documents, f.Nobodys, f.Numeric, f.Duplicates, f.Keyless, append([]string{}, f.Examples...), f.Merged, f.Renamed, f.Removed, f.Left,
		}})
	}
	for _, l := range r.Largest {
		out.Largest = append(out.Largest, recoveryJSON{l.User.String(), secondsOrNull(l.From), l.To, l.Place})
	}
	return WriteJSON(w, out)
}

// End returns what ends a report.
func (f Run) End(startedAt string, durationMS int64) endJSON {
	return endJSON{append([]string{}, f.Warnings...), startedAt, durationMS, f.Exit == exit.Done, errorText(f.Err)}
}

func leftoversJSON(list []sweep.Leftover) []leftoverJSON {
	out := []leftoverJSON{}
	for _, left := range list {
		out = append(out, leftoverJSON{left.Collection, userOrNull(left.User), left.Reason})
	}
	return out
}

func userOrNull(user record.UserID) *string {
	if user == 0 {
		return nil
	}
	id := user.String()
	return &id
}

func secondsOrNull(seconds int64) *int64 {
	if seconds == 0 {
		return nil
	}
	return &seconds
}
