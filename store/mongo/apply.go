package mongo

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
)

// Apply implements [record.Documents]. The documents are read first, so that each step's result is its own. A write is
// guarded by all that the document held then.
func (d *Documents) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	results := make([]record.StepResult, len(steps))
	byCollection := make(map[record.Collection][]int)
	for i, step := range steps {
		byCollection[step.Collection] = append(byCollection[step.Collection], i)
	}
	for c, indexes := range byCollection {
		a := applying{Store: d.Store, collection: c.String(), steps: steps, results: results}
		if err := a.run(ctx, indexes); err != nil {
			return nil, d.wrap("change documents of "+c.String(), err)
		}
	}
	return results, nil
}

// applying is the work on the steps of one collection. Steps are named by their index.
type applying struct {
	*Store
	collection string
	steps      []record.Step
	results    []record.StepResult
	sent       map[int]bool // steps whose statements may have been carried out
	atOnce     int          // statements in a command
}

// applyRounds bounds how often a document is written that still is what it was, as where it changed and changed back.
const applyRounds = 5

func (a *applying) run(ctx context.Context, pending []int) (err error) {
	if a.atOnce, err = a.maxUpdates(ctx, a.collection); err != nil {
		return err
	}
	a.sent = make(map[int]bool, len(pending))
	for range applyRounds {
		ready, err := a.compare(ctx, pending)
		if err != nil {
			return err
		}
		if pending, err = a.write(ctx, ready); err != nil || len(pending) == 0 {
			return err
		}
	}
	ready, err := a.compare(ctx, pending)
	for _, i := range ready {
		a.results[i] = record.StepRefused
	}
	return err
}

// compare reads the steps' documents, and enters the results of steps that need no write. It returns the others.
func (a *applying) compare(ctx context.Context, pending []int) (ready []int, err error) {
	const (
		gone = iota
		before
		after
		other
	)
	ids := make([]string, len(pending))
	byID := make(map[string]int, len(pending))
	for n, i := range pending {
		ids[n] = a.steps[i].ID
		byID[ids[n]] = i
	}
	stands := make(map[int]int, len(pending))
	err = a.byIDs(ctx, a.collection, ids, func(id string, doc bson.Raw) error {
		i := byID[id]
		switch step := a.steps[i]; {
		case bytes.Equal(doc, step.After):
			stands[i] = after
		case bytes.Equal(doc, step.Before):
			stands[i] = before
		default:
			stands[i] = other
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, i := range pending {
		step, is := a.steps[i], stands[i]
		inserts, deletes := step.Before == nil, step.After == nil
		switch {
		case is == after || is == gone && deletes:
			a.results[i] = record.StepNoop
			if a.sent[i] {
				a.results[i] = record.StepDone
			}
		case is == before || is == gone && inserts:
			ready = append(ready, i)
		case inserts:
			a.results[i] = record.StepDuplicate
		default:
			a.results[i] = record.StepModified
		}
	}
	return ready, nil
}

// write carries out steps whose documents were as they have to be. It returns those whose documents have to be looked at
// again.
func (a *applying) write(ctx context.Context, ready []int) (again []int, err error) {
	var fit []int
	for _, i := range ready {
		if limit := a.limits.MaxDocument; limit > 0 && len(a.steps[i].After) > limit {
			a.results[i] = record.StepRefused
			continue
		}
		fit = append(fit, i)
	}
	for some := range slices.Chunk(fit, a.atOnce) {
		there, err := a.writeSome(ctx, some)
		if err != nil {
			return nil, err
		}
		again = append(again, there...)
	}
	return again, nil
}

// writeSome sends one command for each sort of statement.
func (a *applying) writeSome(ctx context.Context, indexes []int) (again []int, err error) {
	models := make([]mongo.WriteModel, len(indexes))
	replaced := int64(0)
	for n, i := range indexes {
		models[n] = a.model(a.steps[i])
		a.sent[i] = true
		if a.steps[i].Before != nil && a.steps[i].After != nil {
			replaced++
		}
	}
	res, bulkErr := a.bulkWrite(ctx, a.collection, models)
	failed, err := writeErrors(bulkErr)
	switch {
	case bulkErr == nil && res.InsertedCount+res.DeletedCount+res.MatchedCount == int64(len(models)) && res.ModifiedCount == replaced:
		for _, i := range indexes {
			a.results[i] = record.StepDone
		}
		return nil, nil
	case err != nil && !a.blames(ctx, err):
		return nil, err
	case err != nil && len(indexes) == 1:
		a.results[indexes[0]] = refusalResult(err)
		return nil, nil
	case err != nil: // which of them it is shows when each is sent by itself
		a.atOnce = 1
		return indexes, nil
	}
	blamed := make(map[int]bool, len(failed))
	for _, e := range failed {
		i := indexes[e.Index]
		blamed[i] = true
		a.results[i] = refusalResult(e)
	}
	for _, i := range indexes {
		if !blamed[i] {
			again = append(again, i)
		}
	}
	return again, nil
}

// blames reports whether a command failed, or could not be sent, for one of its documents. A connection that broke is not
// taken for that here: it would leave a user out.
func (a *applying) blames(ctx context.Context, err error) bool {
	return !mongo.IsNetworkError(err) && a.documentToBlame(ctx, err)
}

// refusalResult returns what a server's error about one document means.
func refusalResult(err error) record.StepResult {
	var e mongo.BulkWriteError
	if errors.As(err, &e) {
		if _, ours := violated(e.WriteError); ours {
			return record.StepDuplicate
		}
	}
	return record.StepRefused
}

// model returns the statement that carries out a step.
func (a *applying) model(step record.Step) mongo.WriteModel {
	switch {
	case step.Before == nil:
		return mongo.NewInsertOneModel().SetDocument(bson.Raw(step.After))
	case step.After == nil:
		return a.deleteModel(a.asRead(step))
	}
	return a.dialect.replace(a.Store, a.asRead(step), step.Before, step.After)
}

// asRead returns the filter that finds a step's document where it still is what it was.
//
// MongoDB compares numbers by value, so that the comparison alone would find 1 in place of 1.0 as well; the types of the
// fields that change are conditions of their own.
func (a *applying) asRead(step record.Step) bson.D {
	var same bson.D
	after := bson.Raw(step.After)
	seen := make(map[string]bool)
	for _, e := range elementsOf(step.Before) {
		name := e.Key()
		if to := lookup(after, name); seen[name] || step.After == nil || to.Equal(e.Value()) || !plainName(name) {
			continue
		}
		seen[name] = true
		// The least and the greatest of all types have numbers of one signed byte.
		same = append(same, bson.E{Key: name, Value: bson.D{{Key: "$type", Value: int32(int8(e.Value().Type))}}})
	}
	for _, e := range elementsOf(after) {
		if name := e.Key(); lookup(step.Before, name).Type == 0 && plainName(name) {
			same = append(same, bson.E{Key: name, Value: bson.D{{Key: "$exists", Value: false}}})
		}
	}
	same = append(same, stillWhole(step.Before, len(step.After)))
	return a.dialect.guard(a.identity(a.collection, step.Before), same)
}

// stillWhole returns the condition that a document still is what was read, in a statement that also holds so many bytes.
func stillWhole(doc bson.Raw, bytes int) bson.E {
	// By $cmp, since older servers fail while they rewrite an $eq on $$ROOT.
	same := bson.D{{Key: "$eq", Value: bson.A{
		bson.D{{Key: "$cmp", Value: bson.A{"$$ROOT", bson.D{{Key: "$literal", Value: doc}}}}}, 0,
	}}}
	if len(doc)+bytes >= guardBytes {
		// Both do not fit into one statement; the size has to do.
		same = bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$bsonSize", Value: "$$ROOT"}}, len(doc)}}}
	}
	return bson.E{Key: "$expr", Value: same}
}

// plainName reports whether a top-level field can be named in a filter.
func plainName(name string) bool {
	return name != "" && name[0] != '$' && !strings.Contains(name, ".")
}
