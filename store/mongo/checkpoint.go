package mongo

import (
	"context"
	"encoding/hex"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// CheckpointCollection is the collection that holds the progress of runs that did not come to their end.
const CheckpointCollection = "lanyardctl_progress"

// Checkpoints keeps checkpoints in the database. See [record.Checkpoints].
type Checkpoints struct{ *Store }

// Checkpoints returns the database's checkpoints.
func (s *Store) Checkpoints() Checkpoints { return Checkpoints{s} }

// checkpoint is the form of a checkpoint in the database. Positions are a list, since a part's name may hold dots.
type checkpoint struct {
	ID          string     `bson:"_id"`
	Scope       string     `bson:"scope"`
	Host        string     `bson:"host"`
	PID         int64      `bson:"pid"`
	Run         string     `bson:"run"`
	Heartbeat   time.Time  `bson:"heartbeat"`
	Target      []position `bson:"target"`
	RejectsFile string     `bson:"rejects_file"`
	Positions   []position `bson:"positions"`
	State       []byte     `bson:"state"`
}

type position struct {
	Name  string `bson:"name"`
	Value string `bson:"value"`
}

// Find implements [record.Checkpoints].
func (c Checkpoints) Find(ctx context.Context, scope string) ([]record.Checkpoint, error) {
	cursor, err := c.find(ctx, CheckpointCollection, bson.D{{Key: "scope", Value: scope}}, options.Find())
	if err != nil {
		return nil, c.wrap("look for interrupted runs", err)
	}
	var documents []bson.Raw
	if err := cursor.All(ctx, &documents); err != nil {
		return nil, c.wrap("look for interrupted runs", err)
	}
	stored := make([]checkpoint, len(documents))
	for i, doc := range documents {
		if err := bson.Unmarshal(doc, &stored[i]); err != nil {
			return nil, c.wrap("look for interrupted runs", damaged(CheckpointCollection, doc, err))
		}
	}
	found := make([]record.Checkpoint, len(stored))
	for i, s := range stored {
		found[i] = record.Checkpoint{
			ID: s.ID, Scope: s.Scope, Owner: record.Owner{Host: s.Host, PID: int(s.PID), Run: s.Run},
			Heartbeat: s.Heartbeat, Target: fromPositions(s.Target), RejectsFile: s.RejectsFile,
			Positions: fromPositions(s.Positions), State: s.State,
		}
	}
	return found, nil
}

// Save implements [record.Checkpoints].
func (c Checkpoints) Save(ctx context.Context, r record.Checkpoint, from record.Owner) (bool, error) {
	s := checkpoint{
		ID: r.ID, Scope: r.Scope, Host: r.Owner.Host, PID: int64(r.Owner.PID), Run: r.Owner.Run,
		Heartbeat: r.Heartbeat, Target: toPositions(r.Target), RejectsFile: r.RejectsFile,
		Positions: toPositions(r.Positions), State: r.State,
	}
	saved, err := c.replaceOrInsert(ctx, CheckpointCollection, r.ID, from, s)
	if err != nil {
		return false, c.wrap("save the run's progress", err)
	}
	return saved, nil
}

// Remove implements [record.Checkpoints].
func (c Checkpoints) Remove(ctx context.Context, id string) error {
	if _, err := c.deleteOne(ctx, CheckpointCollection, bson.D{{Key: "_id", Value: id}}); err != nil {
		return c.wrap("remove the run's progress", err)
	}
	return nil
}

// Target implements [record.Checkpoints]: a collection that holds something is known by its UUID.
func (c Checkpoints) Target(ctx context.Context) (map[string]string, error) {
	var names []string
	for _, kind := range (record.LanyardKinds | record.Tables()).List() {
		names = append(names, collectionName(kind))
	}
	list, err := c.listCollections(ctx, names)
	if err != nil {
		return nil, err
	}
	target := make(map[string]string)
	for _, spec := range list {
		empty, err := c.isEmpty(ctx, spec.Name)
		if err != nil {
			return nil, err
		}
		if empty {
			continue
		}
		target[spec.Name] = hex.EncodeToString(spec.Info.UUID.Data) // some servers tell no UUIDs
	}
	return target, nil
}

func toPositions(m map[string]string) []position {
	list := make([]position, 0, len(m))
	for _, name := range sortedNames(m) {
		list = append(list, position{Name: name, Value: m[name]})
	}
	return list
}

func fromPositions(list []position) map[string]string {
	m := make(map[string]string, len(list))
	for _, p := range list {
		m[p.Name] = p.Value
	}
	return m
}
