package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// insert inserts the records' new documents, and returns the records that stand in the target already.
func (w *writing) insert(ctx context.Context, indexes []int, documents map[int]bson.Raw) (duplicates []int, err error) {
	err = w.halving(ctx, indexes, func(ctx context.Context, indexes []int) error {
		batch := make([]bson.Raw, len(indexes))
		for n, i := range indexes {
			batch[n] = documents[i]
		}
		duplicatesHere, err := w.insertOnce(ctx, indexes, batch)
		if err == nil {
			duplicates = append(duplicates, duplicatesHere...)
		}
		return err
	})
	return duplicates, err
}

func (w *writing) insertOnce(ctx context.Context, indexes []int, documents []bson.Raw) (duplicates []int, err error) {
	failed, err := writeErrors(w.insertMany(ctx, collectionName(w.kind), documents))
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		w.outcomes[i].Status = record.Inserted
	}
	for _, e := range failed {
		i := indexes[e.Index]
		index, ours := violated(e.WriteError)
		switch {
		case index == "":
			w.refuse(i, int32(e.Code), "")
		case ours || !w.merging:
			if w.merging {
				w.met[i] = index
			}
			w.outcomes[i] = record.Outcome{}
			duplicates = append(duplicates, i)
		default:
			w.refuse(i, int32(e.Code), index)
		}
	}
	return duplicates, nil
}
