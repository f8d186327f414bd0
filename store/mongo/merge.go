package mongo

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
)

// change is a decision about one record, and what it was based on.
type change struct {
	index    int
	found    *found
	decision record.Decision
	patch    patch // of the document, where there is one already and the decision changes it
}

func (w *writing) newChange(index int, f *found) change {
	r := w.batch[index]
	c := change{index: index, found: f}
	c.decision = record.Merge(r, f.held(r), record.TimeBounds(r.Kind, r.User, w.opts.Now()), w.policy)
	if c.decision.Write && f.own != nil {
		c.patch = schemaOf(r.Kind).patch(f.own, c.decision, w.limits, w.opts.Now())
		if marked(r.Kind) {
			c.patch.addMark(f.own, c.decision.Mark)
		}
	}
	return c
}

// merge reads what the target has for the records, decides, and writes what has to be written. It returns the records
// whose documents somebody changed in between: they have to be decided anew.
func (w *writing) merge(ctx context.Context, indexes []int) (again []int, err error) {
	changes, superseded, err := w.decide(ctx, indexes)
	if err != nil || w.opts.DryRun {
		return nil, err
	}
	if len(superseded) > 0 {
		if err := w.keep(superseded); err != nil {
			return nil, err
		}
	}
	changes, again, err = w.takeKeys(ctx, changes)
	if err != nil {
		return nil, err
	}
	var inserts []int
	var updates []change
	documents := make(map[int]bson.Raw)
	for _, c := range changes {
		if c.found.own != nil {
			updates = append(updates, c)
			continue
		}
		inserts = append(inserts, c.index)
		documents[c.index] = w.newDocumentFor(c)
	}
	if len(inserts) > 0 {
		there, err := w.insert(ctx, inserts, documents)
		if err != nil {
			return nil, err
		}
		again = append(again, there...)
	}
	there, err := w.update(ctx, updates)
	return append(again, there...), err
}

// decide enters the outcome of each record as if all goes well, and returns the changes that have to be made for it and
// the values that give way.
func (w *writing) decide(ctx context.Context, indexes []int) (changes []change, superseded []record.Superseded, err error) {
	all, err := w.lookup(ctx, indexes)
	if err != nil {
		return nil, nil, err
	}
	clear(w.met)
	for _, i := range indexes {
		c := w.newChange(i, all[i])
		if w.outcomes[i].Column == record.Updated && c.decision.Column == record.Unchanged {
			continue // an earlier round of this call wrote it
		}
		if name, repeated := repeatedName(c.found.own); repeated && c.decision.Write {
			w.reject(i, fmt.Sprintf("the document in the target holds the field %q more than once: remove all but the right one", name))
			continue
		}
		if c.patch.refused != "" {
			w.reject(i, c.patch.refused)
			continue
		}
		if c.decision.Write {
			if rejects := w.limits.CheckSize(w.batch[i], w.sizeAfter(c)); rejects != nil {
				w.outcomes[i] = record.Outcome{Column: record.Rejected, Rejects: rejects}
				continue
			}
			changes = append(changes, c)
		}
		w.outcomes[i] = c.decision.Outcome()
		superseded = append(superseded, c.decision.Superseded...)
	}
	return changes, superseded, nil
}

// newDocumentFor returns the new document of a change, under an _id of its own where somebody else's document has the
// one it should have.
func (w *writing) newDocumentFor(c change) bson.Raw {
	doc := newDocument(w.batch[c.index], w.opts.Now())
	if c.found.idTaken {
		return withNewID(doc)
	}
	return doc
}

// sizeAfter returns the size of the document as the change leaves it, in bytes of BSON.
func (w *writing) sizeAfter(c change) int {
	if c.found.own == nil {
		return w.batch[c.index].DocumentSize()
	}
	return len(c.found.own) + c.patch.grows
}

// update carries out the changes of documents that stand in the target, each only where the document still is what the
// decision was based on.
func (w *writing) update(ctx context.Context, updates []change) (again []int, err error) {
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

func (w *writing) updateSome(ctx context.Context, updates []change) (again []int, err error) {
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
			w.met[i] = index
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
