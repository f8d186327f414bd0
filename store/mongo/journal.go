package mongo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
)

// The collections of the journal. That of the sweeps also holds their lease, under an _id of its own.
const (
	SweepsCollection       = "lanyardctl_sweeps"
	SweepChangesCollection = "lanyardctl_sweep_changes"
)

// Journal keeps the journal of sweeps in the database. See [record.Journal].
type Journal struct{ *Store }

// Journal returns the database's journal.
func (s *Store) Journal() *Journal { return &Journal{s} }

// sweepDocument is the form of a sweep in the database.
type sweepDocument struct {
	ID        string            `bson:"_id"`
	State     record.SweepState `bson:"state"`
	Host      string            `bson:"host"`
	PID       int64             `bson:"pid"`
	Run       string            `bson:"run"`
	Version   string            `bson:"version"`
	Options   string            `bson:"options"`
	StartedAt time.Time         `bson:"started_at"`
	EndedAt   *time.Time        `bson:"ended_at"`
	UndoneAt  *time.Time        `bson:"undone_at"`
	Changes   int64             `bson:"changes"`
}

// Sweeps implements [record.Journal].
func (j *Journal) Sweeps(ctx context.Context) ([]record.Sweep, error) {
	var sweeps []record.Sweep
	for doc, err := range j.stream(ctx, SweepsCollection, query{}) {
		if err != nil {
			return nil, j.wrap("read the sweeps", err)
		}
		if id, _ := lookup(doc, "_id").StringValueOK(); id == sweepLeaseID {
			continue
		}
		var d sweepDocument
		if err := bson.Unmarshal(doc, &d); err != nil {
			return nil, j.wrap("read the sweeps", damaged(SweepsCollection, doc, err))
		}
		sweeps = append(sweeps, record.Sweep{
			ID: d.ID, State: d.State, Owner: record.Owner{Host: d.Host, PID: int(d.PID), Run: d.Run},
			Version: d.Version, Options: d.Options,
			StartedAt: d.StartedAt.UTC(), EndedAt: fromOptional(d.EndedAt), UndoneAt: fromOptional(d.UndoneAt),
			Changes: d.Changes,
		})
	}
	slices.SortFunc(sweeps, func(a, b record.Sweep) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), strings.Compare(b.ID, a.ID))
	})
	return sweeps, nil
}

// SaveSweep implements [record.Journal].
func (j *Journal) SaveSweep(ctx context.Context, s record.Sweep) error {
	err := j.save(ctx, SweepsCollection, s.ID, sweepDocument{
		ID: s.ID, State: s.State, Host: s.Owner.Host, PID: int64(s.Owner.PID), Run: s.Owner.Run,
		Version: s.Version, Options: s.Options,
		StartedAt: s.StartedAt, EndedAt: toOptional(s.EndedAt), UndoneAt: toOptional(s.UndoneAt),
		Changes: s.Changes,
	})
	if err != nil {
		return j.wrap("save the sweep", err)
	}
	return nil
}

// toOptional returns nil for the zero time, which BSON would keep as a date of the year 1.
func toOptional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func fromOptional(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Append implements [record.Journal].
func (j *Journal) Append(ctx context.Context, changes []record.Change) error {
	const operation = "append to the journal"
	if len(changes) == 0 {
		return nil
	}
	documents := make([]bson.Raw, len(changes))
	for i, c := range changes {
		documents[i] = changeDocument(c)
	}
	failed, err := writeErrors(j.insertMany(ctx, SweepChangesCollection, documents))
	if err != nil {
		return j.wrap(operation, err)
	}
	for _, e := range failed {
		if classOf(int32(e.Code)) != duplicate {
			return j.wrap(operation, fmt.Errorf("the server refuses change %d with error %s", changes[e.Index].Seq, codeText(int32(e.Code))))
		}
		// It was written by a call that did not learn so.
		stands, err := j.documentByID(ctx, SweepChangesCollection, changeID(changes[e.Index]))
		if err != nil {
			return j.wrap(operation, err)
		}
		if !slices.Equal(stands, documents[e.Index]) {
			return j.wrap(operation, fmt.Errorf("another change %d of sweep %s is there", changes[e.Index].Seq, changes[e.Index].Sweep))
		}
	}
	return nil
}

// Amend implements [record.Journal].
func (j *Journal) Amend(ctx context.Context, changes []record.Change) error {
	most, err := j.maxUpdates(ctx, SweepChangesCollection)
	if err != nil {
		return j.wrap("amend the journal", err)
	}
	for some := range slices.Chunk(changes, most) {
		if err := j.amendSome(ctx, some); err != nil {
			return j.wrap("amend the journal", err)
		}
	}
	return nil
}

func (j *Journal) amendSome(ctx context.Context, changes []record.Change) error {
	models := make([]mongo.WriteModel, len(changes))
	for i, c := range changes {
		filter := bson.D{{Key: "_id", Value: changeID(c)}}
		if len(c.Steps) == 0 {
			models[i] = j.deleteModel(filter)
		} else {
			models[i] = j.replaceModel(filter, changeDocument(c)).SetUpsert(true)
		}
	}
	_, err := j.bulkWrite(ctx, SweepChangesCollection, models)
	failed, err := writeErrors(err)
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("the server refuses a change with error %s", codeText(int32(failed[0].Code)))
	}
	return err
}
