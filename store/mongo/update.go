package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
)

// update carries out the changes of documents that stand in the target, each only where the document still is what the
// decision was based on.
func (w *writing) update(ctx context.Context, updates []decided) (again []int, err error) {
	most, err := w.maxUpdates(ctx, collectionName(w.kind))
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(updates, most) {
		there, err := w.updateSome(ctx, some)
		if err != nil {
			return nil, err
		}
		again = append(again, there...)
	}
	return again, nil
}

func (w *writing) updateSome(ctx context.Context, updates []decided) (again []int, err error) {
	indexes := make([]int, len(updates))
	statements := make(map[int]mongo.WriteModel, len(updates))
	for n, c := range updates {
		indexes[n] = c.index
		statements[c.index] = w.statement(c)
	}
	err = w.halving(ctx, indexes, func(ctx context.Context, indexes []int) error {
		models := make([]mongo.WriteModel, len(indexes))
		for n, i := range indexes {
			models[n] = statements[i]
		}
		there, err := w.updateOnce(ctx, indexes, models)
		if err == nil {
			again = append(again, there...)
		}
		return err
	})
	return again, err
}

// updateOnce sends one command. It returns the records to look at again: the server tells how many statements met their
// document, not which, so after a miss it is all of them. Those that were written are found to need nothing.
func (w *writing) updateOnce(ctx context.Context, indexes []int, models []mongo.WriteModel) (again []int, err error) {
	res, bulkErr := w.bulkWrite(ctx, collectionName(w.kind), models)
	failed, err := writeErrors(bulkErr)
	if err != nil {
		return nil, err
	}
	refused := make(map[int]bool)
	for _, e := range failed {
		i := indexes[e.Index]
		index, ours := violated(e.WriteError)
		if ours { // an API key that came to another user meanwhile is found in the next round
			w.meet(i, index)
			continue
		}
		w.refuse(i, int32(e.Code), index)
		refused[i] = true
	}
	if bulkErr == nil && res.MatchedCount == int64(len(models)) {
		return nil, nil
	}
	for _, i := range indexes {
		if refused[i] {
			continue
		}
		again = append(again, i)
		if bulkErr == nil && res.MatchedCount == 0 {
			w.outcomes[i] = record.Outcome{} // it certainly was not written
		}
	}
	return again, nil
}

// guardBytes bounds what one statement may hold of a large value, before and after together: the server takes no more
// than 16 MiB and a little.
const guardBytes = 15 << 20

// statement returns the update that carries out a change. It writes whole values of top-level fields, whose names hold
// no dot, and is guarded by the values that were read.
func (w *writing) statement(c decided) mongo.WriteModel {
	filter := w.dialect.guard(w.identity(collectionName(w.kind), c.found.own), c.patch.guard)
	return w.dialect.update(w.Store, filter, c.found.own, c.patch.set, c.patch.unset)
}

// stillIs returns the condition that the document's field has the value that was read.
func stillIs(doc bson.Raw, name string) bson.E {
	v := lookup(doc, name)
	switch v.Type {
	case 0:
		return bson.E{Key: name, Value: bson.D{{Key: "$exists", Value: false}}}
	case bson.TypeUndefined: // of which servers compare the type alone; a list of it has the type, too
		return bson.E{Key: name, Value: bson.D{{Key: "$type", Value: int32(bson.TypeUndefined)}, {Key: "$not", Value: bson.D{{Key: "$type", Value: "array"}}}}}
	}
	return bson.E{Key: name, Value: bson.D{{Key: "$eq", Value: v}}}
}
