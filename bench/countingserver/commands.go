package countingserver

import (
	"errors"
	"math"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// request is a command as the parts of the server see it.
type request struct {
	*message
	name       string // of the command
	database   string
	collection string // that the command names, else ""
}

// answer runs the command and returns the reply.
func (s *Server) answer(m *message) bson.Raw {
	reply, err := s.run(m)
	if err == nil {
		return reply
	}
	failure := bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: err.Error()}, {Key: "code", Value: 2}, {Key: "codeName", Value: "BadValue"}}
	var duplicate *duplicateError
	switch {
	case errors.As(err, &duplicate):
		failure[2].Value, failure[3].Value = duplicateCode, "DuplicateKey"
	case errors.Is(err, errNoCollection):
		failure[2].Value, failure[3].Value = 26, "NamespaceNotFound"
	}
	return encode(failure)
}

const duplicateCode = 11000

var errNoCollection = errors.New("ns does not exist")

func (s *Server) run(m *message) (bson.Raw, error) {
	first, err := m.command.IndexErr(0)
	if err != nil {
		return nil, err
	}
	r := request{message: m, name: first.Key()}
	r.collection, _ = first.Value().StringValueOK()
	r.database, _ = m.command.Lookup("$db").StringValueOK()
	switch strings.ToLower(r.name) {
	case "hello", "ismaster":
		return s.hello()
	case "buildinfo":
		return ok("version", "7.0.14", "versionArray", bson.A{7, 0, 14, 0}, "maxBsonObjectSize", 16<<20)
	case "ping", "endsessions":
		return ok()
	case "insert":
		return s.insert(r)
	case "find":
		return s.find(r)
	case "getmore":
		return s.getMore(r, first.Value())
	case "killcursors":
		return s.killCursors(r)
	case "count":
		return s.count(r)
	case "aggregate":
		return s.aggregate(r)
	case "update":
		return s.update(r)
	case "delete":
		return s.remove(r)
	case "listcollections":
		return s.listCollections(r)
	case "listindexes":
		return s.listIndexes(r)
	case "createindexes":
		return s.createIndexes(r)
	case "drop":
		s.drop(r.database, r.collection)
		return ok()
	case "dropdatabase":
		s.drop(r.database, "")
		return ok()
	}
	return nil, unknown("the command " + r.name)
}

// ok returns the reply of a command that went well, with more members: names and values in turn.
func ok(members ...any) (bson.Raw, error) {
	reply := bson.D{}
	for i := 0; i < len(members); i += 2 {
		reply = append(reply, bson.E{Key: members[i].(string), Value: members[i+1]})
	}
	return encode(append(reply, bson.E{Key: "ok", Value: 1.0})), nil
}

// encode encodes what this package made itself.
func encode(d bson.D) bson.Raw {
	b, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return b
}

func (s *Server) hello() (bson.Raw, error) {
	return ok("isWritablePrimary", true, "ismaster", true, "helloOk", true, "maxBsonObjectSize", 16<<20,
		"maxMessageSizeBytes", 48_000_000, "maxWriteBatchSize", 100_000, "minWireVersion", 0, "maxWireVersion", 21,
		"logicalSessionTimeoutMinutes", 30, "readOnly", false)
}

// statements returns what the command lists under the name, beside it or inside it.
func (r request) statements(name string) ([]bson.Raw, error) {
	if len(r.documents) > 0 {
		return r.documents, nil
	}
	values, err := valuesOf(r.command.Lookup(name))
	if err != nil {
		return nil, err
	}
	var documents []bson.Raw
	for _, v := range values {
		document, ok := v.DocumentOK()
		if !ok {
			return nil, unknown("a statement that is no document")
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// ordered tells whether the command stops at its first error.
func (r request) ordered() bool {
	ordered, given := r.command.Lookup("ordered").BooleanOK()
	return ordered || !given
}

// written is the reply to a command that writes.
type written struct {
	n, modified int
	upserted    bson.A
	failed      bson.A
}

func (w *written) fail(index int, e *duplicateError) {
	w.failed = append(w.failed, bson.D{
		{Key: "index", Value: index}, {Key: "code", Value: duplicateCode}, {Key: "errmsg", Value: e.Error()},
		{Key: "keyPattern", Value: bson.D{{Key: e.field, Value: 1}}}, {Key: "keyValue", Value: bson.D{{Key: e.field, Value: e.value}}},
	})
}

func (w *written) reply(update bool) (bson.Raw, error) {
	members := []any{"n", w.n}
	if update {
		members = append(members, "nModified", w.modified)
	}
	if w.upserted != nil {
		members = append(members, "upserted", w.upserted)
	}
	if w.failed != nil {
		members = append(members, "writeErrors", w.failed)
	}
	return ok(members...)
}

func (s *Server) insert(r request) (bson.Raw, error) {
	documents, err := r.statements("documents")
	if err != nil {
		return nil, err
	}
	c := s.collection(r.database, r.collection)
	c.mu.Lock()
	defer c.mu.Unlock()
	var w written
	for i, document := range documents {
		if err := c.insert(document); err != nil {
			w.fail(i, err)
			if r.ordered() {
				break
			}
			continue
		}
		w.n++
	}
	return w.reply(false)
}

// number returns a number of the command, or the default where it is not given.
func (r request) number(name string, otherwise int) int {
	if n, ok := r.command.Lookup(name).AsInt64OK(); ok {
		return int(n)
	}
	return otherwise
}

// document returns a document of the command, or nil.
func (r request) document(name string) bson.Raw {
	d, _ := r.command.Lookup(name).DocumentOK()
	return d
}

func (s *Server) find(r request) (bson.Raw, error) {
	f, err := parseFilter(r.document("filter"))
	if err != nil {
		return nil, err
	}
	p, err := parseProjection(r.document("projection"))
	if err != nil {
		return nil, err
	}
	c := s.collection(r.database, r.collection)
	sorting, err := parseSort(r.document("sort"))
	if err != nil {
		return nil, err
	}
	within, err := r.parseBounds()
	if err != nil {
		return nil, err
	}
	limit := r.number("limit", 0)
	upwards, _ := r.document("sort").Lookup("_id").AsInt64OK()
	switch all := len(f.conditions) == 0 && limit == 0 && r.number("skip", 0) == 0; {
	case all && within.field == "" && sorting == nil:
		return s.firstReply(r, &cursor{collection: c, projection: p})
	case all && (within.field == "" || within.field == "_id") && upwards == 1:
		return s.firstReply(r, &cursor{found: c.withinIDs(within), projection: p})
	}
	found := c.matching(f)
	if within.field != "" {
		found = slices.DeleteFunc(found, func(document bson.Raw) bool { return !within.holds(document) })
	}
	if sorting != nil {
		slices.SortStableFunc(found, sorting)
	}
	found = found[min(r.number("skip", 0), len(found)):]
	if limit > 0 && limit < len(found) {
		found = found[:limit]
	}
	return s.firstReply(r, &cursor{found: found, projection: p})
}

func (c *collection) matching(f *filter) []bson.Raw {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make([]bson.Raw, 0)
	for _, position := range c.positions(f) {
		found = append(found, c.documents[position])
	}
	return found
}

// parseSort returns nil for no order.
func parseSort(document bson.Raw) (func(a, b bson.Raw) int, error) {
	elements, err := document.Elements()
	if document == nil || err != nil || len(elements) == 0 {
		return nil, nil
	}
	direction, isNumber := elements[0].Value().AsInt64OK()
	if len(elements) > 1 || !isNumber {
		return nil, unknown("a sort by more than one field")
	}
	field := elements[0].Key()
	return func(a, b bson.Raw) int {
		return order(a.Lookup(field), b.Lookup(field)) * int(direction)
	}, nil
}

// firstReply is that of a command which gives a cursor.
func (s *Server) firstReply(r request, c *cursor) (bson.Raw, error) {
	most := r.number("batchSize", firstBatch)
	if size, given := r.document("cursor").Lookup("batchSize").AsInt64OK(); given {
		most = int(size)
	}
	batch, more := c.batch(most)
	var id int64
	if single, _ := r.command.Lookup("singleBatch").BooleanOK(); more && !single {
		id = s.keep(c)
	}
	return r.cursorReply("firstBatch", batch, id)
}

func (s *Server) getMore(r request, id bson.RawValue) (bson.Raw, error) {
	number, _ := id.AsInt64OK()
	c := s.cursor(number)
	if c == nil {
		return nil, unknown("the cursor")
	}
	most := r.number("batchSize", 0)
	if most == 0 {
		most = math.MaxInt
	}
	batch, more := c.batch(most)
	if !more {
		s.forget(number)
		number = 0
	}
	r.collection, _ = r.command.Lookup("collection").StringValueOK()
	return r.cursorReply("nextBatch", batch, number)
}

// cursorReply builds the reply by hand: a batch is large.
func (r request) cursorReply(field string, batch []byte, id int64) (bson.Raw, error) {
	outer, reply := bsoncore.AppendDocumentStart(make([]byte, 0, len(batch)+256))
	inner, reply := bsoncore.AppendDocumentElementStart(reply, "cursor")
	reply = bsoncore.AppendArrayElement(reply, field, batch)
	reply = bsoncore.AppendInt64Element(reply, "id", id)
	reply = bsoncore.AppendStringElement(reply, "ns", r.database+"."+r.collection)
	reply, err := bsoncore.AppendDocumentEnd(reply, inner)
	if err != nil {
		return nil, err
	}
	reply, err = bsoncore.AppendDocumentEnd(bsoncore.AppendDoubleElement(reply, "ok", 1), outer)
	return bson.Raw(reply), err
}

func (s *Server) killCursors(r request) (bson.Raw, error) {
	ids, err := valuesOf(r.command.Lookup("cursors"))
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		s.forget(id.AsInt64())
	}
	return ok("cursorsKilled", bson.A{})
}

func (s *Server) count(r request) (bson.Raw, error) {
	n, err := s.collection(r.database, r.collection).countBy(r.document("query"))
	if err != nil {
		return nil, err
	}
	return ok("n", n)
}

func (c *collection) countBy(query bson.Raw) (int, error) {
	f, err := parseFilter(query)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(f.conditions) == 0 {
		return c.count, nil
	}
	return len(c.positions(f)), nil
}

func (s *Server) listCollections(r request) (bson.Raw, error) {
	f, err := parseFilter(r.document("filter"))
	if err != nil {
		return nil, err
	}
	var all []bson.Raw
	for name, c := range s.collectionsOf(r.database) {
		info := encode(bson.D{
			{Key: "name", Value: name}, {Key: "type", Value: "collection"}, {Key: "options", Value: bson.D{}},
			{Key: "info", Value: bson.D{{Key: "readOnly", Value: false}, {Key: "uuid", Value: c.uuid}}},
		})
		if f.matches(info) {
			all = append(all, info)
		}
	}
	return s.firstReply(r, &cursor{found: all})
}

func (s *Server) listIndexes(r request) (bson.Raw, error) {
	c := s.collection(r.database, r.collection)
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.written {
		return nil, errNoCollection
	}
	var all []bson.Raw
	for _, l := range c.lookups {
		if l.name == "" {
			continue
		}
		index := bson.D{{Key: "v", Value: 2}, {Key: "key", Value: bson.D{{Key: l.field, Value: 1}}}, {Key: "name", Value: l.name}}
		if l.field != "_id" {
			index = append(index, bson.E{Key: "unique", Value: true})
		}
		all = append(all, encode(index))
	}
	return s.firstReply(r, &cursor{found: all})
}

func (s *Server) createIndexes(r request) (bson.Raw, error) {
	indexes, err := r.statements("indexes")
	if err != nil {
		return nil, err
	}
	c := s.collection(r.database, r.collection)
	for _, index := range indexes {
		key, _ := index.Lookup("key").DocumentOK()
		fields, err := key.Elements()
		if err != nil {
			return nil, err
		}
		unique, _ := index.Lookup("unique").BooleanOK()
		if len(fields) != 1 || !unique {
			return nil, unknown("an index that is not unique over one field")
		}
		if err := c.makeIndex(fields[0].Key(), index.Lookup("name").StringValue()); err != nil {
			return nil, err
		}
	}
	return ok("numIndexesBefore", 1, "numIndexesAfter", 1+len(indexes))
}
