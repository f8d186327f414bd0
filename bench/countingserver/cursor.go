package countingserver

import (
	"strconv"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// cursor is the rest of what a find or another command found.
type cursor struct {
	collection *collection // of which it shows all documents, where found is nil
	found      []bson.Raw
	projection *projection

	mu   sync.Mutex
	next int
}

// Limits of a batch, as MongoDB has them. A document more than what fills it may go in.
const (
	firstBatch = 101
	batchBytes = 16<<20 - 64<<10
)

// batch returns the next documents as a BSON array, and whether more follow.
func (c *cursor) batch(most int) (array []byte, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	documents := c.found
	if c.collection != nil {
		c.collection.mu.RLock()
		defer c.collection.mu.RUnlock()
		documents = c.collection.documents
	}
	start, array := bsoncore.AppendArrayStart(make([]byte, 0, 64<<10))
	n := 0
	for ; c.next < len(documents) && n < most && len(array) < batchBytes; c.next++ {
		document := documents[c.next]
		if document == nil {
			continue
		}
		if len(array)+len(document) > batchBytes && n > 0 {
			break
		}
		array = append(array, byte(bson.TypeEmbeddedDocument))
		array = append(strconv.AppendInt(array, int64(n), 10), 0)
		array = c.projection.append(array, document)
		n++
	}
	array, _ = bsoncore.AppendArrayEnd(array, start)
	return array, c.next < len(documents)
}

// projection is what a client wants to have of documents: all, with nil.
type projection struct {
	leaveOut bool // the fields named, and not all others
	noID     bool
	fields   map[string]*projection // nil is the field as a whole
}

func parseProjection(document bson.Raw) (*projection, error) {
	elements, err := document.Elements()
	if err != nil || len(elements) == 0 {
		return nil, err
	}
	p := &projection{leaveOut: true, fields: make(map[string]*projection)}
	for _, e := range elements {
		wanted, ok := e.Value().AsInt64OK()
		if !ok {
			return nil, unknown("a projection that is no number")
		}
		switch {
		case e.Key() == "_id" && wanted == 0:
			p.noID = true
			continue
		case wanted != 0:
			p.leaveOut = false
		}
		p.add(e.Key())
	}
	return p, nil
}

func (p *projection) add(path string) {
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		p.fields[name] = nil
		return
	}
	if p.fields[name] == nil {
		p.fields[name] = &projection{noID: true, fields: make(map[string]*projection)}
	}
	p.fields[name].add(rest)
}

// append appends what it takes of the document.
func (p *projection) append(dst []byte, document bson.Raw) []byte {
	if p == nil {
		return append(dst, document...)
	}
	start, dst := bsoncore.AppendDocumentStart(dst)
	for rest := document[4:]; len(rest) > 1; {
		element, after, ok := bsoncore.ReadElement(rest)
		if !ok {
			break
		}
		rest = after
		dst = p.appendElement(dst, element)
	}
	dst, _ = bsoncore.AppendDocumentEnd(dst, start)
	return dst
}

func (p *projection) appendElement(dst []byte, element bsoncore.Element) []byte {
	name := element.KeyBytes()
	if string(name) == "_id" {
		if p.noID {
			return dst
		}
		return append(dst, element...)
	}
	nested, named := p.fields[string(name)]
	switch {
	case p.leaveOut && named, !p.leaveOut && !named:
		return dst
	case nested == nil:
		return append(dst, element...)
	}
	inner, ok := element.Value().DocumentOK()
	if !ok {
		return dst
	}
	dst = append(append(append(dst, byte(bson.TypeEmbeddedDocument)), name...), 0)
	return nested.append(dst, bson.Raw(inner))
}
