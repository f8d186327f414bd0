package countingserver

import (
	"bytes"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// updating is one statement of an update.
type updating struct {
	filter *filter
	query  bson.Raw
	change bson.Raw // a whole document, or operators
	upsert bool
	multi  bool
}

func parseUpdate(statement bson.Raw) (*updating, error) {
	query, _ := statement.Lookup("q").DocumentOK()
	change, ok := statement.Lookup("u").DocumentOK()
	if !ok {
		return nil, unknown("an update by a pipeline")
	}
	f, err := parseFilter(query)
	u := &updating{filter: f, query: query, change: change}
	u.upsert, _ = statement.Lookup("upsert").BooleanOK()
	u.multi, _ = statement.Lookup("multi").BooleanOK()
	return u, err
}

func (s *Server) update(r request) (bson.Raw, error) {
	statements, err := r.statements("updates")
	if err != nil {
		return nil, err
	}
	c := s.collection(r.database, r.collection)
	c.mu.Lock()
	defer c.mu.Unlock()
	var w written
	for i, statement := range statements {
		u, err := parseUpdate(statement)
		if err != nil {
			return nil, err
		}
		duplicate, err := c.update(u, i, &w)
		if err != nil {
			return nil, err
		}
		if duplicate != nil {
			w.fail(i, duplicate)
			if r.ordered() {
				break
			}
		}
	}
	return w.reply(true)
}

// update runs one statement. The caller has locked the collection.
func (c *collection) update(u *updating, index int, w *written) (*duplicateError, error) {
	found := c.positions(u.filter)
	if len(found) == 0 && u.upsert {
		document, err := u.inserted()
		if err != nil {
			return nil, err
		}
		if err := c.insert(document); err != nil {
			return err, nil
		}
		w.n++
		w.upserted = append(w.upserted, bson.D{{Key: "index", Value: index}, {Key: "_id", Value: document.Lookup("_id")}})
		return nil, nil
	}
	if !u.multi && len(found) > 1 {
		found = found[:1]
	}
	for _, position := range found {
		old := c.documents[position]
		changed, err := u.applied(old, false)
		if err != nil {
			return nil, err
		}
		w.n++
		if bytes.Equal(old, changed) {
			continue
		}
		if err := c.replace(position, changed); err != nil {
			return err, nil
		}
		w.modified++
	}
	return nil, nil
}

// inserted returns the document of an upsert that finds none: what the query says is equal, and the change.
func (u *updating) inserted() (bson.Raw, error) {
	var start bson.D
	for _, c := range u.filter.conditions {
		if len(c.equal) == 1 && !strings.Contains(c.field, ".") {
			start = append(start, bson.E{Key: c.field, Value: c.equal[0]})
		}
	}
	if !slices.ContainsFunc(start, func(e bson.E) bool { return e.Key == "_id" }) {
		if _, err := u.change.LookupErr("_id"); err != nil {
			start = append(bson.D{{Key: "_id", Value: bson.NewObjectID()}}, start...)
		}
	}
	return u.applied(encode(start), true)
}

// applied returns the document as the statement changes it.
func (u *updating) applied(document bson.Raw, inserted bool) (bson.Raw, error) {
	elements, err := u.change.Elements()
	if err != nil {
		return nil, err
	}
	var result bson.D
	if len(elements) == 0 || !strings.HasPrefix(elements[0].Key(), "$") {
		if id, err := document.LookupErr("_id"); err == nil {
			result = append(result, bson.E{Key: "_id", Value: id})
		}
		return encode(set(result, u.change)), nil
	}
	result = set(result, document)
	for _, e := range elements {
		operands, isDocument := e.Value().DocumentOK()
		switch {
		case isDocument && e.Key() == "$set", isDocument && e.Key() == "$setOnInsert" && inserted:
			result = set(result, operands)
		case isDocument && e.Key() == "$unset":
			result = slices.DeleteFunc(result, func(field bson.E) bool {
				_, err := operands.LookupErr(field.Key)
				return err == nil
			})
		case e.Key() != "$setOnInsert":
			return nil, unknown("the change " + e.Key())
		}
		if strings.Contains(operandNames(operands), ".") {
			return nil, unknown("a change inside a field")
		}
	}
	return encode(result), nil
}

// set sets the fields of the document.
func set(result bson.D, document bson.Raw) bson.D {
	elements, _ := document.Elements() // was checked when it came
	for _, e := range elements {
		i := slices.IndexFunc(result, func(field bson.E) bool { return field.Key == e.Key() })
		if i < 0 {
			result = append(result, bson.E{Key: e.Key(), Value: e.Value()})
			continue
		}
		result[i].Value = e.Value()
	}
	return result
}

func operandNames(document bson.Raw) string {
	elements, _ := document.Elements() // was checked when it came
	var names []string
	for _, e := range elements {
		names = append(names, e.Key())
	}
	return strings.Join(names, " ")
}

// remove runs the statements of a deletion.
func (s *Server) remove(r request) (bson.Raw, error) {
	statements, err := r.statements("deletes")
	if err != nil {
		return nil, err
	}
	c := s.collection(r.database, r.collection)
	c.mu.Lock()
	defer c.mu.Unlock()
	var w written
	for _, statement := range statements {
		query, _ := statement.Lookup("q").DocumentOK()
		f, err := parseFilter(query)
		if err != nil {
			return nil, err
		}
		found := c.positions(f)
		if limit, _ := statement.Lookup("limit").AsInt64OK(); limit > 0 && int(limit) < len(found) {
			found = found[:limit]
		}
		for _, position := range found {
			c.remove(position)
			w.n++
		}
	}
	return w.reply(false)
}
