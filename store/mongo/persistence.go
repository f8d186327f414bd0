package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// Persistence is the database as an app's persistence layer uses it. See [record.Persistence]. The places are those of
// the fork; upstream reads none of them.
type Persistence struct {
	*Store
	now func() time.Time
}

// Persistence returns the database as an app's persistence layer uses it.
func (s *Store) Persistence() *Persistence { return &Persistence{s, time.Now} }

var forkAlone = record.Apps(0).With(record.Fork)

// maxHeld bounds what is held of one user: several documents of the largest size.
const maxHeld = 4 * record.DefaultMaxDocument

// Entries implements [record.Persistence].
func (p *Persistence) Entries(
	ctx context.Context, kind record.Kind, user record.UserID,
) (entries []record.Entry, err error) {
	switch kind {
	case record.KV:
		documents, err := p.Documents().OfUsers(ctx, kind, []record.UserID{user}, maxHeld)
		return entriesOf(documents, pairsEntry), err
	case record.APIKeys:
		documents, err := p.keyDocuments(ctx, user)
		return keyEntries(documents, false), err
	case record.Metrics:
		documents, err := p.counterDocuments(ctx)
		return entriesOf(documents, countersEntry), err
	}
	collections := []record.Collection{record.CollectionOf(kind)}
	if kind == record.MonitoringSince {
		collections = []record.Collection{record.MonitoringCollection, record.UsersCollection, record.KVCollection}
	}
	for _, c := range collections {
		times, err := p.times(ctx, kind, c, user)
		if err != nil {
			return nil, p.wrap("read "+c.String(), err)
		}
		entries = append(entries, times...)
	}
	return entries, nil
}

// entriesOf returns an entry for each of the documents of one user, or for those of the counters, in the order in which the
// server finds them.
func entriesOf(documents []record.Document, entry func(record.Document) record.Entry) []record.Entry {
	var entries []record.Entry
	for i, d := range documents {
		e := entry(d)
		e.Place, e.Apps = d.Collection.String(), readers(i)
		addSeveral(&e, len(documents))
		entries = append(entries, e)
	}
	return entries
}

// readers returns the apps that read the i-th of a user's documents that the server finds.
func readers(i int) record.Apps {
	if i > 0 {
		return 0
	}
	return forkAlone
}

// addSeveral adds the fault of a document that is one of several.
func addSeveral(e *record.Entry, documents int) {
	if documents > 1 {
		addFault(e, "one of %d documents, of which Lanyard reads any one", documents)
	}
}

func addFault(e *record.Entry, format string, args ...any) {
	if e.Fault != "" {
		e.Fault += "; "
	}
	e.Fault += fmt.Sprintf(format, args...)
}

// times returns an entry for each field that holds a time of the user's.
func (p *Persistence) times(
	ctx context.Context, kind record.Kind, c record.Collection, user record.UserID,
) (entries []record.Entry, err error) {
	places := record.PlacesIn(c)
	if kind != record.MonitoringSince {
		field := record.TimeField(kind)
		places = []record.FieldPlace{{Field: field, Place: record.DatePlace{Name: c.String() + "." + field}}}
	}
	projection := bson.D{{Key: "_id", Value: 0}, {Key: "user_id", Value: 1}}
	for _, at := range places {
		path := strings.TrimPrefix(at.Place.Name, c.String()+".")
		projection = append(projection, bson.E{Key: path, Value: 1})
	}
	documents := 0
	for doc, err := range p.documentsOf(ctx, c.String(), []record.UserID{user}, projection) {
		if err != nil {
			return nil, err
		}
		apps := readers(documents)
		documents++
		if c == record.KVCollection {
			doc, _ = lookup(doc, "kv").DocumentOK()
		}
		for _, at := range places {
			if v := lookup(doc, at.Field); v.Type != 0 {
				e := record.Entry{Place: at.Place.Name, Apps: apps}
				e.Time, e.Fault = timeIn(kind, c, v)
				entries = append(entries, e)
			}
		}
	}
	for i := range entries {
		addSeveral(&entries[i], documents)
	}
	return entries, nil
}

// timeIn returns a time as [record.Entry] has it, and why the app cannot read it.
func timeIn(kind record.Kind, c record.Collection, v bson.RawValue) (t any, fault string) {
	t = moment(v)
	if t == nil {
		return nil, ""
	}
	if text, ok := t.(string); ok && c == record.KVCollection { // a user wrote it, so that text is usual
		if number, ok := record.ParseNumber(text); ok {
			t = number
		}
	}
	n, ok := t.(int64)
	if !ok {
		return moment(v), "no integer, on which Lanyard crashes"
	}
	if least, most := record.AppTimes(kind); kind == record.MonitoringSince && (n < least || n > most) {
		return n, "not in seconds, on which Lanyard crashes"
	}
	return n, ""
}

// A change is decided anew for so long while others change the same.
const (
	contendedFor     = 3 * time.Second
	contendedBackoff = 4 * time.Millisecond
)

var errModified = errors.New("somebody changed it")

// untilMade makes a change that reports false where somebody changed what it was decided by, again and again.
func (p *Persistence) untilMade(ctx context.Context, what string, change func() (made bool, err error)) error {
	again := retry.Policy{
		Backoff: contendedBackoff, For: contendedFor,
		Temporary: func(err error) bool { return errors.Is(err, errModified) },
	}
	err := again.Do(ctx, func() error {
		made, err := change()
		if err == nil && !made {
			return errModified
		}
		return err
	})
	switch {
	case !errors.Is(err, errModified):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w", what, record.ErrContended)
}

// apply carries out steps in one collection, or one that inserts a document. It reports false where the documents were
// not as the steps have them: some steps may be carried out all the same.
func (p *Persistence) apply(ctx context.Context, whose string, steps ...record.Step) (made bool, err error) {
	if len(steps) == 0 {
		return true, nil
	}
	c := steps[0].Collection
	unlock, err := p.dialect.exclusive(ctx, p.Store, c.String()+" "+whose)
	if err != nil {
		return false, p.wrap("change documents of "+c.String(), err)
	}
	defer unlock()
	if steps[0].Before == nil {
		return p.insertFirst(ctx, steps[0])
	}
	results, err := p.Documents().Apply(ctx, steps)
	if err != nil {
		return false, err
	}
	made = true
	for i, result := range results {
		switch result {
		case record.StepDone, record.StepNoop:
		case record.StepModified, record.StepDuplicate:
			made = false
		default:
			return false, p.refused(steps[i])
		}
	}
	return made, nil
}

// insertFirst inserts a document where there is none of its user. One statement looks and inserts: without a unique
// index, the app's own insert would come in between.
func (p *Persistence) insertFirst(ctx context.Context, step record.Step) (made bool, err error) {
	collection := step.Collection.String()
	field := uniqueFields(step.Collection.Form())[0]
	doc := bson.Raw(step.After)
	if p.limits.MaxDocument > 0 && len(doc) > p.limits.MaxDocument {
		return false, p.refused(step)
	}
	model := p.updateModel(bson.D{{Key: field, Value: lookup(doc, field)}}, bson.D{{Key: "$setOnInsert", Value: doc}}).SetUpsert(true)
	res, bulkErr := p.bulkWrite(ctx, collection, []mongo.WriteModel{model})
	failed, err := writeErrors(bulkErr)
	switch {
	case err != nil && classify(err) != aboutDocument:
		return false, p.wrap("insert into "+collection, err)
	case err != nil, len(failed) > 0 && refusalResult(failed[0]) != record.StepDuplicate:
		return false, p.refused(step)
	}
	return len(failed) == 0 && res.UpsertedCount == 1, nil
}

// refused is the error of a step that the server refuses.
func (p *Persistence) refused(step record.Step) error {
	if size := len(step.After); p.limits.MaxDocument > 0 && size > p.limits.MaxDocument {
		return fmt.Errorf("change a document of %s: it would have %d bytes of BSON, and the limit is %d", step.Collection, size, p.limits.MaxDocument)
	}
	return fmt.Errorf("change a document of %s: %s refuses it", step.Collection, p.limits.Server)
}

// step returns the step that makes the fields the document in place of one that was read; nil for a new one.
func (f *fields) step(c record.Collection, before []byte) record.Step {
	doc := f.document()
	return record.Step{Collection: c, ID: idOf(doc), Before: before, After: doc}
}

// fieldsOf returns the fields of a document that was read, or those of a new one of the user's.
func fieldsOf(user record.UserID, otherID bool, documents []record.Document) (f *fields, before []byte) {
	if len(documents) > 0 {
		f, before = union(documents[:1]), documents[0].Raw
	} else {
		f = newFields(record.Join{User: user, OtherID: otherID})
	}
	f.setText("user_id", user.String())
	return f, before
}

// setMark writes the digest of what lanyardctl wrote; empty for none.
func (f *fields) setMark(digest string) {
	if digest == "" {
		f.remove(record.WrittenField)
		return
	}
	f.set(record.WrittenField, appendMark(nil, digest))
}

// checkHeld fails where the server cannot hold one of the fields, however small the document is.
func (p *Persistence) checkHeld(kind record.Kind, user record.UserID, set map[string]record.Value) error {
	r := record.Record{Kind: kind, User: user, Fields: make(map[string]record.Field, len(set))}
	for name, v := range set {
		r.Fields[name] = record.Field{Value: v}
	}
	limits := p.limits
	limits.MaxDocument = 0
	for _, reject := range limits.Apply(record.Item{Kind: kind, Record: &r}).Rejects {
		return fmt.Errorf("the field %q of %s: %s", reject.Field, kind, reject.Detail)
	}
	return nil
}
