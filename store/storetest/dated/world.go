// Package dated makes up the documents of a database in which forks of Lanyard left monitoring dates, with every type,
// unit and fault that they are known for, and knows what a sweep has to make of them: not by reading the documents, but by
// how it made them.
package dated

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Now is when the worlds of [New] are swept.
var Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Document is a document to insert. Values are nil, bool, int32, int64, float64, string, [time.Time], map[string]any and
// []any.
type Document struct {
	Collection record.Collection
	Fields     map[string]any
}

// Expected is what a sweep has to make of a user.
type Expected struct {
	Date     int64 // Unix seconds; zero where no plausible date is anywhere
	OfUsers  int64 // the earliest that users can write themselves; zero for none
	Of       int64 // the earliest of the others; zero for none
	Standing int   // documents in monitoring before
	Right    bool  // the one document of monitoring says Date, and the app can read it
}

// World is a database.
type World struct {
	Documents []Document
	Users     map[record.UserID]Expected

	// Implausible is how many values are no plausible dates, by the name of their place.
	Implausible map[string]int64

	// Nobodys is how many documents are no user's, by collection.
	Nobodys map[record.Collection]int64
}

// New makes a world of so many users.
func New(seed uint64, users int) *World { return NewAt(Now, seed, users) }

// NewAt makes a world that is swept at now, or an hour later at most.
func NewAt(now time.Time, seed uint64, users int) *World {
	m := &maker{
		now:   now,
		Rand:  rand.New(rand.NewPCG(seed, 1)),
		World: &World{Users: make(map[record.UserID]Expected), Implausible: make(map[string]int64), Nobodys: make(map[record.Collection]int64)},
	}
	for len(m.World.Users) < users {
		m.user()
	}
	for _, c := range record.UserCollections {
		for _, id := range []any{"", "abc", "0123", "-5", int64(-5), int32(0), 12.5, 94490510688792583.0, true, map[string]any{"a": int32(1)}} {
			m.add(c, map[string]any{"user_id": id, "since": int64(1500000000), "key": fmt.Sprintf("key of nobody %v", id)})
			m.World.Nobodys[c]++
		}
		m.add(c, map[string]any{"since": int64(1500000000)})
		m.World.Nobodys[c]++
	}
	m.Shuffle(len(m.World.Documents), func(i, j int) {
		d := m.World.Documents
		d[i], d[j] = d[j], d[i]
	})
	return m.World
}

type maker struct {
	*rand.Rand
	now   time.Time
	World *World
}

func (m *maker) add(c record.Collection, fields map[string]any) {
	if c == record.KVCollection {
		if v, ok := fields["since"]; ok {
			delete(fields, "since")
			fields["kv"] = map[string]any{"monitoring_since": v}
		}
	}
	m.World.Documents = append(m.World.Documents, Document{c, fields})
}

// user makes up one user's documents.
func (m *maker) user() {
	created := time.Date(2015, 3, 1, 0, 0, 0, 0, time.UTC).Unix() + m.Int64N(9*365*86400)
	user := record.UserID(uint64(created*1000+m.Int64N(1000)-1420070400000)<<22 | uint64(m.IntN(1<<22)))
	if _, twice := m.World.Users[user]; twice {
		return
	}
	u := &userMaker{maker: m, user: user, created: created}
	u.monitoring()
	for range m.few() {
		u.document(record.UsersCollection, "since", "monitoring_since")
	}
	for range m.few() {
		u.pairs()
	}
	if m.IntN(2) == 0 {
		m.add(record.LastSeenCollection, map[string]any{"user_id": u.id(), "timestamp": u.now.UnixMilli()})
	}
	if m.IntN(3) == 0 {
		m.add(record.APIKeysCollection, map[string]any{"user_id": user.String(), "key": fmt.Sprintf("%032x", m.Uint64())})
	}
	if !u.known {
		u.pairs()
	}
	e := &u.expected
	e.Date = least(e.Of, e.OfUsers)
	e.Right = e.Standing == 1 && u.readable != 0 && u.readable == e.Date
	m.World.Users[user] = *e
}

// few returns 0, 1 or, seldom, 2.
func (m *maker) few() int { return [...]int{0, 0, 0, 1, 1, 1, 1, 2}[m.IntN(8)] }

// least returns the lesser of two dates, zero being none.
func least(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

type userMaker struct {
	*maker
	user     record.UserID
	created  int64
	known    bool  // a place of dates has a document
	readable int64 // what the app reads as the date of the one document of monitoring
	expected Expected
}

// id returns the user's id, now and then as a number.
func (u *userMaker) id() any {
	if u.IntN(8) == 0 {
		return int64(u.user)
	}
	return u.user.String()
}

func (u *userMaker) monitoring() {
	for range [...]int{0, 1, 1, 1, 1, 1, 2, 3}[u.IntN(8)] {
		u.expected.Standing++
		fields := u.document(record.MonitoringCollection, "since", "monitoring_since")
		if _, text := fields["user_id"].(string); text {
			switch since := fields["since"].(type) {
			case int32:
				u.readable = int64(since)
			case int64:
				u.readable = since
			}
		}
	}
}

// document adds a document with some of the fields.
func (u *userMaker) document(c record.Collection, names ...string) map[string]any {
	u.known = true
	fields := map[string]any{"user_id": u.id()}
	for i, name := range names {
		if i == 0 && u.IntN(6) > 0 || i > 0 && u.IntN(4) == 0 {
			fields[name] = u.date(c.String()+"."+name, &u.expected.Of)
		}
	}
	if u.IntN(3) == 0 {
		fields[fmt.Sprintf("extra%d", u.IntN(3))] = fmt.Sprintf("value %d", u.IntN(1000))
	}
	u.add(c, fields)
	return fields
}

func (u *userMaker) pairs() {
	u.known = true
	kv := map[string]any{"about": "somebody"}
	if u.IntN(3) == 0 {
		kv["monitoring_since"] = u.date("kv.kv.monitoring_since", &u.expected.OfUsers)
	}
	u.add(record.KVCollection, map[string]any{"user_id": u.id(), "kv": kv})
}
