package countingserver

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// collection keeps its documents in the order in which they came.
type collection struct {
	name string // with the database
	uuid bson.Binary

	mu        sync.RWMutex
	written   bool       // so that it exists
	documents []bson.Raw // nil where one was deleted
	count     int        // without the deleted ones
	lookups   []*lookup  // the first is that of _id
	inOrder   []bson.Raw // the documents in the order of their _ids; nil where nobody asked since the last write
}

// lookup finds documents by the value of a field.
type lookup struct {
	field string
	name  string           // of the index that a client made, else ""
	first map[string]int   // value → position of a document
	more  map[string][]int // value → positions of further ones; never for a client's index, which is unique
}

func newCollection(name string) *collection {
	uuid := make([]byte, 16)
	_, _ = rand.Read(uuid) // never fails
	return &collection{
		name: name, uuid: bson.Binary{Subtype: bson.TypeBinaryUUID, Data: uuid},
		lookups: []*lookup{{field: "_id", name: "_id_", first: make(map[string]int)}},
	}
}

func (c *collection) exists() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.written
}

// duplicateError is MongoDB's error for two documents with one value of an indexed field.
type duplicateError struct {
	collection, index, field string
	value                    bson.RawValue
}

func (e *duplicateError) Error() string {
	return fmt.Sprintf("E11000 duplicate key error collection: %s index: %s dup key: { %s: %s }", e.collection, e.index, e.field, e.value)
}

// insert adds a document. The caller has locked the collection.
func (c *collection) insert(document bson.Raw) *duplicateError {
	if err := c.place(document, len(c.documents)); err != nil {
		return err
	}
	c.documents = append(c.documents, document)
	c.inOrder = nil
	c.count++
	c.written = true
	return nil
}

// place makes all look-ups find the document at the position, or none of them.
func (c *collection) place(document bson.Raw, position int) *duplicateError {
	for _, l := range c.lookups {
		if l.name == "" {
			continue
		}
		value, ok := valueOf(document, l.field)
		if !ok {
			continue
		}
		if at, ok := l.first[string(value)]; ok && at != position {
			return &duplicateError{c.name, l.name, l.field, document.Lookup(l.field)}
		}
	}
	for _, l := range c.lookups {
		if value, ok := valueOf(document, l.field); ok {
			l.add(string(value), position)
		}
	}
	return nil
}

func (l *lookup) add(value string, position int) {
	at, ok := l.first[value]
	switch {
	case !ok:
		l.first[value] = position
	case at != position && !slices.Contains(l.more[value], position):
		if l.more == nil {
			l.more = make(map[string][]int)
		}
		l.more[value] = append(l.more[value], position)
	}
}

func (l *lookup) remove(value string, position int) {
	others := slices.DeleteFunc(l.more[value], func(at int) bool { return at == position })
	if l.first[value] == position {
		delete(l.first, value)
		if len(others) > 0 {
			l.first[value], others = others[0], others[1:]
		}
	}
	if len(others) > 0 {
		l.more[value] = others
	} else {
		delete(l.more, value)
	}
}

// replace puts a document in the place of another one. The caller has locked the collection.
func (c *collection) replace(position int, document bson.Raw) *duplicateError {
	old := c.documents[position]
	c.unplace(old, position)
	if err := c.place(document, position); err != nil {
		_ = c.place(old, position) // was there before
		return err
	}
	c.documents[position] = document
	c.inOrder = nil
	return nil
}

// remove deletes a document. The caller has locked the collection.
func (c *collection) remove(position int) {
	c.unplace(c.documents[position], position)
	c.documents[position] = nil
	c.inOrder = nil
	c.count--
}

func (c *collection) unplace(document bson.Raw, position int) {
	for _, l := range c.lookups {
		if value, ok := valueOf(document, l.field); ok {
			l.remove(string(value), position)
		}
	}
}

// lookupBy returns the look-up by a field, which is made where there is none. The caller has locked the collection.
func (c *collection) lookupBy(field string) *lookup {
	if l := c.existingLookup(field); l != nil {
		return l
	}
	l := &lookup{field: field, first: make(map[string]int, c.count)}
	for position, document := range c.documents {
		if document == nil {
			continue
		}
		if value, ok := valueOf(document, field); ok {
			l.add(string(value), position)
		}
	}
	c.lookups = append(c.lookups, l)
	return l
}

func (c *collection) existingLookup(field string) *lookup {
	for _, l := range c.lookups {
		if l.field == field {
			return l
		}
	}
	return nil
}

// makeIndex makes a unique index over a field.
func (c *collection) makeIndex(field, name string) *duplicateError {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = true
	l := c.lookupBy(field)
	for value, others := range l.more {
		if len(others) > 0 {
			return &duplicateError{c.name, name, field, c.documents[l.first[value]].Lookup(field)}
		}
	}
	l.name = name
	return nil
}

// positions returns those of the documents that fit, in order. The caller has locked the collection for writing, or
// made the look-ups that the filter uses.
func (c *collection) positions(f *filter) []int {
	var found []int
	add := func(position int) {
		if d := c.documents[position]; d != nil && f.matches(d) {
			found = append(found, position)
		}
	}
	choices, ok := f.choices()
	if !ok {
		for position := range c.documents {
			add(position)
		}
		return found
	}
	for _, choice := range choices {
		l := c.lookupBy(choice.field)
		if at, ok := l.first[choice.value]; ok {
			add(at)
		}
		for _, at := range l.more[choice.value] {
			add(at)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// valueOf returns the type and the bytes of a field's value, which are what look-ups compare.
func valueOf(document bson.Raw, field string) ([]byte, bool) {
	v, err := document.LookupErr(field)
	if err != nil {
		return nil, false
	}
	return keyOf(v), true
}

func keyOf(v bson.RawValue) []byte {
	return append(append(make([]byte, 0, 48), byte(v.Type)), v.Value...)
}
