package dynamo

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/lanyardctl/lanyardctl/record"
)

// found is what a table has for a record.
type found struct {
	item   item // nil where there is none
	fields map[string]record.Field
	digest string // of the fields

	// by is who wrote the item, where lanyardctl did and nobody changed it since. It is looked up where that bears on the record.
	by     string
	is     bool
	broken error // why the item cannot be read
}

// decided is what is to be done to an item, on what it was decided by.
type decided struct {
	index   int
	found   *found
	key     item
	whole   item          // to be put, where there is no item
	steps   []*expression // else to be carried out
	digests []string      // of what the item becomes, where that is lanyardctl's work
}

// decide enters the outcome of each record as if all goes well, and returns what has to be done for it, and the values that give
// way.
func (w *writing) decide(ctx context.Context, kind record.Kind, indexes []int) (all []decided, superseded []record.Superseded, err error) {
	there, err := w.read(ctx, kind, indexes)
	if err != nil {
		return nil, nil, err
	}
	for _, i := range indexes {
		f := there[i]
		if f == nil { // it was refused
			continue
		}
		if f.broken != nil {
			w.reject(i, record.RefusedByTarget, "the item in the table cannot be read: "+f.broken.Error())
			continue
		}
		r := w.batch[i]
		d := record.Merge(r, record.Existing{Held: f.held()}, record.Bounds{}, w.opts.Policy)
		if w.sent[i] && d.Status == record.Unchanged {
			continue // an earlier round of this call wrote it
		}
		if d.Write {
			one, ok := w.plan(i, f, d)
			if !ok {
				w.reject(i, record.RefusedByTarget, "the item holds a value of a type that DynamoDB has not")
				continue
			}
			all = append(all, one)
		}
		w.outcomes[i] = d.Outcome()
		superseded = append(superseded, d.Superseded...)
	}
	return all, superseded, nil
}

// held returns what stands in the table, in the form that is merged.
func (f *found) held() record.Held {
	h := record.Held{Found: f.item != nil, Unmodified: f.is}
	if f.item != nil {
		h.Fields = make(map[string]record.Value, len(f.fields))
		for name, field := range f.fields {
			h.Fields[name] = field.Value
		}
	}
	return h
}

// plan returns how a decision is carried out. It reports false where DynamoDB has no type for a value.
func (w *writing) plan(i int, f *found, d record.Decision) (decided, bool) {
	r := &w.batch[i]
	one := decided{index: i, found: f}
	key, ok := w.keyOf(r)
	if !ok {
		return one, false
	}
	one.key = key
	if f.item == nil {
		if d.Mark != "" {
			one.digests = []string{d.Mark}
		}
		one.whole, ok = itemOf(r.Fields)
		return one, ok
	}
	var changes []change
	for _, name := range slices.Sorted(maps.Keys(d.Set)) {
		a, ok := attributeOf(d.Set[name])
		if !ok {
			return one, false
		}
		changes = append(changes, change{name: name, was: f.item[name], is: a})
	}
	for _, name := range d.Unset {
		changes = append(changes, change{name: name, was: f.item[name]})
	}
	var ends []int
	one.steps, ends = stepsOf(w.tables[r.Kind].Keys[0].Name, changes, w.memberwise(i, f.digest))
	if d.Mark == "" {
		return one, true
	}
	// What stands after each step is lanyardctl's own.
	fields := maps.Clone(f.fields)
	for n, c := range changes {
		if c.is == nil {
			delete(fields, c.name)
		} else {
			fields[c.name] = record.Field{Value: d.Set[c.name]}
		}
		if slices.Contains(ends, n+1) {
			one.digests = append(one.digests, digestOf(r, fields))
		}
	}
	return one, true
}

// memberwise reports whether the server does not find the item equal to itself, as dynalite does not where a list or a map is
// compared as a whole: nobody changed the item since it was to be changed last. AWS finds it equal.
func (w *writing) memberwise(i int, digest string) bool {
	same := w.tried[i] == digest
	w.tried[i] = digest
	return same && !w.isAWS()
}

// keyOf returns the key of a record's item. It reports false where the record has none.
func (s *Store) keyOf(r *record.Record) (item, bool) {
	key := make(item)
	for _, k := range s.tables[r.Kind].Keys {
		a, ok := attributeOf(r.Fields[k.Name].Value)
		if !ok {
			return nil, false
		}
		key[k.Name] = a
	}
	return key, true
}

// read returns what the table has for each of the records. Those whose key DynamoDB refuses are rejected, and left out.
func (w *writing) read(ctx context.Context, kind record.Kind, indexes []int) (map[int]*found, error) {
	there := make(map[int]*found, len(indexes))
	refused, err := w.readSome(ctx, kind, indexes, there)
	if err != nil {
		return nil, err
	}
	if len(refused) == len(indexes) && len(refused) >= manyRefused {
		return nil, refused[0]
	}
	// An item of which nothing is to be written is as fine whoever wrote it.
	var digests []string
	for i, f := range there {
		if f.item == nil || f.broken != nil {
			continue
		}
		f.digest = digestOf(&w.batch[i], f.fields)
		if f.digest != digestOf(&w.batch[i], w.batch[i].Fields) {
			digests = append(digests, f.digest)
		}
	}
	by, err := w.own.known(ctx, digests)
	if err != nil {
		return nil, err
	}
	for _, f := range there {
		f.by, f.is = by[f.digest]
	}
	return there, nil
}

// readSome reads the items of the records. It returns why records were rejected.
func (w *writing) readSome(ctx context.Context, kind record.Kind, indexes []int, there map[int]*found) (refused []error, err error) {
	table := w.tables[kind]
	keys := make([]item, 0, len(indexes))
	byName := make(map[record.Name]int, len(indexes))
	for _, i := range indexes {
		key, ok := w.keyOf(&w.batch[i])
		if !ok { // not where ItemName found one
			continue
		}
		keys = append(keys, key)
		byName[w.batch[i].Name] = i
	}
	items, err := w.getItems(ctx, table.Name, keys)
	if words, theirs := refusedItem(err); theirs {
		if len(indexes) == 1 {
			w.reject(indexes[0], record.RefusedByTarget, "DynamoDB refused the item's key with "+words)
			return []error{err}, nil
		}
		half := len(indexes) / 2
		first, err := w.readSome(ctx, kind, indexes[:half], there)
		if err != nil {
			return nil, err
		}
		second, err := w.readSome(ctx, kind, indexes[half:], there)
		return append(first, second...), err
	}
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		there[i] = &found{}
	}
	for _, it := range items {
		fields, broken := fieldsOf(it)
		name, _ := record.ItemName(table.Keys, fields) // no item is without its key
		if i, asked := byName[name]; asked {
			there[i] = &found{item: it, fields: fields, broken: broken}
		}
	}
	return nil, nil
}

// carryOut writes an item where it still is what was decided by, and reports whether it did.
func (w *writing) carryOut(ctx context.Context, d decided) (done bool, err error) {
	table := w.tables[w.batch[d.index].Kind]
	if d.whole != nil {
		e := newExpression()
		e.absent(table.Keys[0].Name)
		return w.write(d.index, func(attempts func(*dynamodb.Options)) error {
			op := operation{name: "PutItem", table: table.Name, pace: w.writes, units: writeUnits(itemSize(w.batch[d.index].Fields))}
			_, err := call(ctx, w.Store, op, with(w.client.PutItem, attempts), &dynamodb.PutItemInput{
				TableName: &table.Name, Item: d.whole, ConditionExpression: e.condition(), ExpressionAttributeNames: e.names,
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
			return err
		})
	}
	for _, e := range d.steps {
		done, err = w.write(d.index, func(attempts func(*dynamodb.Options)) error {
			op := operation{name: "UpdateItem", table: table.Name, pace: w.writes, units: writeUnits(itemSize(d.found.fields))}
			_, err := call(ctx, w.Store, op, with(w.client.UpdateItem, attempts), &dynamodb.UpdateItemInput{
				TableName: &table.Name, Key: d.key, ConditionExpression: e.condition(), UpdateExpression: e.update(),
				ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
			return err
		})
		if err != nil || !done {
			return false, err
		}
		w.sent[d.index] = true // if there is another round, some of it is written
	}
	if d.found.is && !slices.Contains(d.digests, d.found.digest) {
		return true, w.own.forget(ctx, d.found.digest, d.found.by)
	}
	return true, nil
}

// write makes a request to write a record, whose condition tells whether the item is what it was, and reports whether it was
// carried out.
func (w *writing) write(i int, request func(attempts func(*dynamodb.Options)) error) (done bool, err error) {
	done, maybe, err := once(request)
	w.sent[i] = w.sent[i] || maybe
	return done, err
}

// once makes a request with a condition, and reports whether it was carried out: certainly, or, where the condition was not
// met, maybe by an attempt whose answer was lost.
func once(request func(attempts func(*dynamodb.Options)) error) (done, maybe bool, err error) {
	attempts := 0
	done, err = met(request(counting(&attempts)))
	if errors.As(err, new(*types.TransactionConflictException)) || errors.As(err, new(*types.ReplicatedWriteConflictException)) {
		err = nil // somebody else is at the item, also in another region
	}
	return done, !done && err == nil && attempts > 1, err
}

// counting counts how often a request is sent.
func counting(n *int) func(*dynamodb.Options) {
	count := middleware.FinalizeMiddlewareFunc("CountAttempts", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		*n++
		return next.HandleFinalize(ctx, in)
	})
	return dynamodb.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Finalize.Insert(count, "Retry", middleware.After) })
}

// with returns the request with one more option.
func with[I, O any](
	request func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error), option func(*dynamodb.Options),
) func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error) {
	return func(ctx context.Context, in *I, options ...func(*dynamodb.Options)) (*O, error) {
		return request(ctx, in, append(options, option)...)
	}
}
