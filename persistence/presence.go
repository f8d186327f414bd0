package persistence

import (
	"context"
	"math"

	"github.com/lanyardctl/lanyardctl/record"
)

// Presence is all that is persisted of a user that the API shows.
type Presence struct {
	User            record.UserID
	KV              Answer
	LastSeen        Answer
	MonitoringSince Answer
}

// Found reports whether anything is persisted of the user.
func (p Presence) Found() bool { return p.KV.Found || p.LastSeen.Found || p.MonitoringSince.Found }

// Get returns what the API shows of the user.
func (l *Layer) Get(ctx context.Context, user record.UserID, q Question) (Presence, error) {
	p := Presence{User: user}
	var err error
	if p.KV, err = l.KV(ctx, user, q); err != nil {
		return p, err
	}
	if p.LastSeen, err = l.LastSeen(ctx, user, q); err != nil {
		return p, err
	}
	p.MonitoringSince, err = l.since(ctx, user, q, &p.KV)
	return p, err
}

// KV returns the user's key-value pairs. A place without pairs is no answer: the app reads the next one.
func (l *Layer) KV(ctx context.Context, user record.UserID, q Question) (Answer, error) {
	return l.ask(ctx, record.KV, user, q, takeFields)
}

// Counters returns the stored counters.
func (l *Layer) Counters(ctx context.Context, q Question) (Answer, error) {
	return l.ask(ctx, record.Metrics, 0, q, takeFields)
}

func takeFields(a *Answer, o *Origin) bool {
	a.Fields = o.Fields
	return len(o.Fields) > 0
}

// LastSeen returns when the user was last seen, in Unix milliseconds.
func (l *Layer) LastSeen(ctx context.Context, user record.UserID, q Question) (Answer, error) {
	return l.ask(ctx, record.LastSeen, user, q, takeTime)
}

// MonitoringSince returns since when the user is monitored, in Unix seconds. Where no place of its own tells, the fork takes
// what the user's key-value pairs say.
func (l *Layer) MonitoringSince(ctx context.Context, user record.UserID, q Question) (Answer, error) {
	return l.since(ctx, user, q, nil)
}

// since asks for the pairs only where it has to, unless they are known.
func (l *Layer) since(ctx context.Context, user record.UserID, q Question, pairs *Answer) (Answer, error) {
	a, err := l.ask(ctx, record.MonitoringSince, user, q, takeTime)
	if err != nil || a.Found || l.App != record.Fork {
		return a, err
	}
	if pairs == nil {
		kv, err := l.KV(ctx, user, q)
		if err != nil {
			return a, err
		}
		pairs = &kv
	}
	v, ok := pairs.Fields[record.OlderTimeField]
	if !ok {
		return a, nil
	}
	o := Origin{pairs.From.Store, record.Entry{Place: pairs.From.Place + " " + record.OlderTimeField, Apps: pairs.From.Apps, Time: v}}
	if takeTime(&a, &o) {
		a.Found, a.From, a.Index = true, o, len(a.All)
	}
	a.All = append(a.All, o)
	return a, nil
}

// takeTime takes the time of an entry. What the app cannot read is taken by its meaning, and what has none is a fault.
func takeTime(a *Answer, o *Origin) bool {
	moment, reason, detail := record.Timestamp(a.Kind, o.Time, record.Bounds{Earliest: math.MinInt64, Latest: math.MaxInt64})
	n, whole := o.Time.(int64)
	switch {
	case whole && showable(a.Kind, n):
		a.Time = n // the app asks for no more
		return true
	case reason == "" && showable(a.Kind, moment.Time):
		a.Time = moment.Time
		return true
	case o.Fault == "" && reason != "":
		o.Fault = string(reason) + ": " + detail
	case o.Fault == "":
		o.Fault = "it lies beyond the year 9999"
	}
	return false
}

// showable reports whether the app can write the time as a date.
func showable(kind record.Kind, t int64) bool {
	_, most := record.AppTimes(kind)
	return t >= 0 && t <= most
}
