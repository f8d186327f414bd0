package mem

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// Documents are collections of documents in memory: a [record.Documents]. A document is a map of named values: nil, bool,
// int32, int64, float64, string, [time.Time], map[string]any and []any.
type Documents struct {
	limits record.Limits

	mu          sync.Mutex
	collections map[record.Collection]map[string]map[string]any
	unique      map[record.Collection][]string
	inserted    int
	writes      int
}

// NewDocuments returns collections without documents.
func NewDocuments(limits record.Limits) *Documents {
	return &Documents{
		limits:      limits,
		collections: make(map[record.Collection]map[string]map[string]any),
		unique:      make(map[record.Collection][]string),
	}
}

// Insert adds a document behind lanyardctl's back, and returns its ID. Where fields has no "_id", it gets one.
func (s *Documents) Insert(c record.Collection, fields map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inserted++
	doc := maps.Clone(fields)
	if _, ok := doc["_id"]; !ok {
		doc["_id"] = int64(s.inserted)
	}
	id := idOf(doc["_id"])
	s.put(c, id, doc)
	return id
}

// Remove deletes a document behind lanyardctl's back.
func (s *Documents) Remove(c record.Collection, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.collections[c], id)
}

// Unique makes the values of a field unique in the collection, as a unique index does.
func (s *Documents) Unique(c record.Collection, field string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unique[c] = append(s.unique[c], field)
}

// Dump returns the documents of a collection in their encoding, by ID.
func (s *Documents) Dump(c record.Collection) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	dump := make(map[string][]byte, len(s.collections[c]))
	for id, doc := range s.collections[c] {
		dump[id] = encode(doc)
	}
	return dump
}

// All returns the documents of a collection, by ID.
func (s *Documents) All(c record.Collection) map[string]map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]map[string]any, len(s.collections[c]))
	for id, doc := range s.collections[c] {
		all[id] = maps.Clone(doc)
	}
	return all
}

// Writes returns how many steps changed a document.
func (s *Documents) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func (s *Documents) put(c record.Collection, id string, doc map[string]any) {
	if s.collections[c] == nil {
		s.collections[c] = make(map[string]map[string]any)
	}
	s.collections[c][id] = doc
}

// Limits implements [record.Documents].
func (s *Documents) Limits() record.Limits { return s.limits }

// Contents implements [record.Documents].
func (s *Documents) Contents(ctx context.Context) (map[record.Collection]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	contents := make(map[record.Collection]int64)
	for _, c := range record.UserCollections {
		contents[c] = int64(len(s.collections[c]))
	}
	return contents, ctx.Err()
}

// Outline implements [record.Documents]. It delivers what the collection held when it was called.
func (s *Documents) Outline(ctx context.Context, c record.Collection, yield func([]record.Document) error) error {
	s.mu.Lock()
	list := make([]record.Document, 0, len(s.collections[c]))
	for id, doc := range s.collections[c] {
		list = append(list, outline(c, id, doc))
	}
	s.mu.Unlock()
	return inPages(ctx, list, yield)
}

// Whole implements [record.Documents].
func (s *Documents) Whole(ctx context.Context, c record.Collection, ids []string, most int) ([]record.Document, error) {
	if len(ids) > record.MaxSteps {
		return nil, fmt.Errorf("%d documents are more than %d", len(ids), record.MaxSteps)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []record.Document
	size := 0
	for _, id := range ids {
		doc, ok := s.collections[c][id]
		if !ok {
			continue
		}
		list = append(list, whole(c, id, doc))
		if size += len(list[len(list)-1].Raw); size > most {
			return nil, record.ErrTooMuch
		}
	}
	return list, ctx.Err()
}

// OfUsers implements [record.Documents].
func (s *Documents) OfUsers(ctx context.Context, kind record.Kind, users []record.UserID, most int) ([]record.Document, error) {
	c := record.CollectionOf(kind)
	s.mu.Lock()
	var ids []string
	for id, doc := range s.collections[c] {
		if d := outline(c, id, doc); !d.Numeric && d.User != 0 && slices.Contains(users, d.User) {
			ids = append(ids, id)
		}
	}
	s.mu.Unlock()
	return s.Whole(ctx, c, ids, most)
}

// Apply implements [record.Documents].
func (s *Documents) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	if len(steps) > record.MaxSteps {
		return nil, fmt.Errorf("%d steps are more than %d", len(steps), record.MaxSteps)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	results := make([]record.StepResult, len(steps))
	for i, step := range steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		results[i] = s.apply(step)
	}
	return results, nil
}

func (s *Documents) apply(step record.Step) record.StepResult {
	c := step.Collection
	var stands []byte
	if doc, ok := s.collections[c][step.ID]; ok {
		stands = encode(doc)
	}
	switch {
	case bytes.Equal(stands, step.After):
		return record.StepNoop
	case !bytes.Equal(stands, step.Before):
		if step.Before == nil {
			return record.StepDuplicate
		}
		return record.StepModified
	case step.After == nil:
		delete(s.collections[c], step.ID)
		s.writes++
		return record.StepDone
	}
	doc := decode(step.After)
	if max := s.limits.MaxDocument; max > 0 && len(step.After) > max {
		return record.StepRefused
	}
	for _, field := range s.unique[c] {
		for id, other := range s.collections[c] {
			if id != step.ID && equalValues(other[field], doc[field]) {
				return record.StepDuplicate
			}
		}
	}
	s.put(c, step.ID, doc)
	s.writes++
	return record.StepDone
}

func equalValues(a, b any) bool { return record.Equal(storable(a), storable(b)) }

// idOf returns the ID of a document with the _id.
func idOf(v any) string { return fmt.Sprintf("%T:%v", v, v) }

// owner returns whose document it is, in the forms that [record.Document] has.
func owner(doc map[string]any) (user record.UserID, name string, numeric bool) {
	v, exists := doc["user_id"]
	if !exists {
		return 0, "", false
	}
	if text, ok := v.(string); ok {
		if user, ok := record.ParseUserID(text); ok {
			return user, "", false
		}
		return 0, text, false
	}
	value := storable(v)
	switch value.(type) {
	case int64, float64:
		numeric = true
	}
	user, _ = record.WholeUserID(value) // zero for what is none
	return user, string(record.JSON(value)), numeric
}

func outline(c record.Collection, id string, doc map[string]any) record.Document {
	d := record.Document{Kind: c.Form(), Collection: c, ID: id, Held: record.Held{Found: true}}
	user, name, numeric := owner(doc)
	d.User, d.Name, d.Numeric = user, record.NameOf(name), numeric
	fields := doc
	if c == record.KVCollection {
		fields, _ = doc["kv"].(map[string]any)
	}
	for _, p := range record.PlacesIn(c) {
		if v, ok := fields[p.Field]; ok {
			if d.Held.Times == nil {
				d.Held.Times = make(map[string]any)
			}
			d.Held.Times[p.Field] = moment(v)
		}
	}
	if c == record.APIKeysCollection {
		key, exists := doc["key"]
		var ok bool
		if d.Held.APIKey, ok = key.(string); !ok && exists {
			d.Held.Malformed = storable(key)
		}
	}
	return d
}

func whole(c record.Collection, id string, doc map[string]any) record.Document {
	d := outline(c, id, doc)
	d.Raw = encode(doc)
	switch c {
	case record.LastSeenCollection:
		if v, ok := doc[record.TimeField(record.LastSeen)]; ok {
			d.Held.Times = map[string]any{record.TimeField(record.LastSeen): moment(v)}
		}
	case record.KVCollection:
		kv, exists := doc["kv"]
		fields, ok := kv.(map[string]any)
		if !ok {
			if exists {
				d.Held.Malformed = storable(kv)
			}
			break
		}
		d.Held.Fields = make(map[string]record.Value, len(fields))
		for name, v := range fields {
			d.Held.Fields[name] = storable(v)
		}
	}
	return d
}

// moment returns a value as [record.Timestamp] takes it.
func moment(v any) any {
	if n, ok := v.(int32); ok {
		return int64(n)
	}
	return v
}
