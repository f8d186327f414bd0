package mongo

import (
	"context"
	"fmt"

	"github.com/lanyardctl/lanyardctl/record"
)

// decided is a decision about one record, and what it was based on.
type decided struct {
	index    int
	found    *found
	decision record.Decision
	patch    patch // of the document, where there is one already and the decision changes it
}

func (w *writing) decideOne(index int, f *found) decided {
	r := w.batch[index]
	c := decided{index: index, found: f}
	merge := record.Merge
	if w.opts.Mirror {
		merge = record.Mirror
	}
	c.decision = merge(r, f.existing(r), record.TimeBounds(r.Kind, r.User, w.now), w.policy)
	if !c.decision.Write || f.own == nil {
		return c
	}
	c.patch = schemaOf(r.Kind).patch(f.own, c.decision, w.limits, w.now)
	if c.decision.Adopts {
		c.patch = patch{guard: c.patch.guard, types: c.patch.types}
	}
	if r.Kind.Identified() {
		c.patch.addMark(f.own, c.decision.Mark)
	}
	if c.decision.Adopts && !w.takes(c) {
		c.decision = record.Decision{}
	}
	return c
}

// takes reports whether the document that stands can be written to, and still fits with what is added.
func (w *writing) takes(c decided) bool {
	_, repeated := repeatedName(c.found.own)
	return !repeated && w.limits.CheckSize(w.batch[c.index], w.sizeAfter(c)) == nil
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
	var updates []decided
	newID := make(map[int]bool) // somebody else's document has the _id that the record's should have
	for _, c := range changes {
		if c.found.own != nil {
			updates = append(updates, c)
			continue
		}
		inserts = append(inserts, c.index)
		if c.found.idTaken {
			newID[c.index] = true
		}
	}
	there, err := w.insert(ctx, inserts, func(dst []byte, index int) []byte {
		if newID[index] {
			return append(dst, withNewID(w.newDocument(nil, index))...)
		}
		return w.newDocument(dst, index)
	})
	if err != nil {
		return nil, err
	}
	again = append(again, there...)
	there, err = w.update(ctx, updates)
	return append(again, there...), err
}

// decide enters the outcome of each record as if all goes well, and returns the changes that have to be made for it, none in
// a dry run, and the values that give way.
func (w *writing) decide(ctx context.Context, indexes []int) (changes []decided, superseded []record.Superseded, err error) {
	all, err := w.readBack(ctx, indexes)
	if err != nil {
		return nil, nil, err
	}
	clear(w.met)
	if !w.byID {
		w.learn(all.documents(), len(indexes))
	}
	for n, i := range indexes {
		c := w.decideOne(i, &all[n])
		if w.outcomes[i].Status == record.Updated && c.decision.Status == record.Unchanged {
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
				w.outcomes[i] = record.Outcome{Status: record.Rejected, Rejects: rejects}
				continue
			}
			if !w.opts.DryRun {
				changes = append(changes, c)
			}
		}
		w.outcomes[i] = c.decision.Outcome()
		superseded = append(superseded, c.decision.Superseded...)
	}
	return changes, superseded, nil
}

// sizeAfter returns the size of the document as the change leaves it, in bytes of BSON.
func (w *writing) sizeAfter(c decided) int {
	if c.found.own == nil {
		return w.batch[c.index].DocumentSize()
	}
	return len(c.found.own) + c.patch.grows
}
