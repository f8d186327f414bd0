package mongo

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// RunsCollection is the collection that tells how the last run of each command ended.
const RunsCollection = "lanyardctl_runs"

// Runs keeps in the database how runs ended. See [record.Runs].
type Runs struct{ *Store }

// Runs returns what the database knows of runs.
func (s *Store) Runs() Runs { return Runs{s} }

// runDocument is the form of a run in the database.
type runDocument struct {
	Command   string    `bson:"_id"`
	Options   string    `bson:"options"`
	Version   string    `bson:"version"`
	Host      string    `bson:"host"`
	StartedAt time.Time `bson:"started_at"`
	EndedAt   time.Time `bson:"ended_at"`
	Exit      int32     `bson:"exit"`
	Read      int64     `bson:"read"`
	Inserted  int64     `bson:"inserted"`
	Updated   int64     `bson:"updated"`
	Conflicts int64     `bson:"conflicts"`
	Rejected  int64     `bson:"rejected"`
}

// SaveRun implements [record.Runs].
func (r Runs) SaveRun(ctx context.Context, e record.EndedRun) error {
	err := r.save(ctx, RunsCollection, e.Command, runDocument{
		e.Command, e.Options, e.Version, e.Host, e.StartedAt, e.EndedAt, int32(e.Exit),
		e.Read, e.Inserted, e.Updated, e.Conflicts, e.Rejected,
	})
	if err != nil {
		return r.wrap("save how the run ended", err)
	}
	return nil
}

// LastRuns implements [record.Runs].
func (r Runs) LastRuns(ctx context.Context) ([]record.EndedRun, error) {
	var runs []record.EndedRun
	for doc, err := range r.stream(ctx, RunsCollection, query{}) {
		if err != nil {
			return nil, r.wrap("read how the last runs ended", err)
		}
		var d runDocument
		if err := bson.Unmarshal(doc, &d); err != nil {
			return nil, r.wrap("read how the last runs ended", damaged(RunsCollection, doc, err))
		}
		runs = append(runs, record.EndedRun{
			Command: d.Command, Options: d.Options, Version: d.Version, Host: d.Host,
			StartedAt: d.StartedAt.UTC(), EndedAt: d.EndedAt.UTC(), Exit: int(d.Exit),
			Read: d.Read, Inserted: d.Inserted, Updated: d.Updated, Conflicts: d.Conflicts, Rejected: d.Rejected,
		})
	}
	slices.SortFunc(runs, func(a, b record.EndedRun) int { return cmp.Compare(a.Command, b.Command) })
	return runs, nil
}
