package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
)

// Checkpoints keeps checkpoints in lanyardctl's own table. See [record.Checkpoints].
type Checkpoints struct{ own *ownTable }

// Checkpoints returns the checkpoints of runs that write to the DynamoDB.
func (s *Store) Checkpoints() Checkpoints { return Checkpoints{&ownTable{Store: s}} }

// storedCheckpoint is the form of a checkpoint in the table.
type storedCheckpoint struct {
	ID          string            `json:"id"`
	Owner       record.Owner      `json:"owner"`
	Heartbeat   time.Time         `json:"heartbeat"`
	Target      map[string]string `json:"target"`
	RejectsFile string            `json:"rejects_file"`
	Positions   map[string]string `json:"positions"`
	State       []byte            `json:"state"`
}

const checkpointPrefix = "checkpoint/"

// Find implements [record.Checkpoints].
func (c Checkpoints) Find(ctx context.Context, scope string) ([]record.Checkpoint, error) {
	all, err := c.All(ctx)
	return slices.DeleteFunc(all, func(r record.Checkpoint) bool { return r.Scope != scope }), err
}

// All returns the checkpoints of all scopes, in no order.
func (c Checkpoints) All(ctx context.Context) ([]record.Checkpoint, error) {
	rows, err := c.own.listed(ctx, checkpointList, checkpointPrefix)
	if err != nil {
		return nil, err
	}
	var found []record.Checkpoint
	for _, row := range rows {
		var s storedCheckpoint
		if err := decodeRow(row, &s); err != nil {
			return nil, err
		}
		found = append(found, record.Checkpoint{
			ID: s.ID, Scope: text(row, ownScope), Owner: s.Owner, Heartbeat: s.Heartbeat, Target: s.Target,
			RejectsFile: s.RejectsFile, Positions: s.Positions, State: s.State,
		})
	}
	return found, nil
}

// Save implements [record.Checkpoints].
func (c Checkpoints) Save(ctx context.Context, r record.Checkpoint, from record.Owner) (bool, error) {
	content, err := json.Marshal(storedCheckpoint{r.ID, r.Owner, r.Heartbeat, r.Target, r.RejectsFile, r.Positions, r.State})
	if err != nil {
		return false, err
	}
	if err := c.own.ensure(ctx); err != nil {
		return false, err
	}
	if err := c.own.list(ctx, checkpointList, r.ID, true); err != nil {
		return false, err
	}
	// A request that is made again finds what it wrote.
	e := newExpression()
	run := e.name(ownRun)
	e.demand("attribute_not_exists(" + run + ") OR " + run + "=" + e.value(asText(from.Run)) + " OR " + run + "=" + e.value(asText(r.Owner.Run)))
	return c.own.put(ctx, item{
		ownID: asText(checkpointPrefix + r.ID), ownScope: asText(r.Scope), ownRun: asText(r.Owner.Run), ownContent: asText(string(content)),
	}, e)
}

// Remove implements [record.Checkpoints].
func (c Checkpoints) Remove(ctx context.Context, id string) error {
	if err := c.own.remove(ctx, checkpointPrefix+id, nil); err != nil {
		return err
	}
	return c.own.list(ctx, checkpointList, id, false)
}

// Target implements [record.Checkpoints]: a table that holds something is known by its id, and by when it was made.
func (c Checkpoints) Target(ctx context.Context) (map[string]string, error) {
	target := make(map[string]string)
	for _, kind := range c.own.opts.Tables.List() {
		name := c.own.tables[kind].Name
		info, _, err := c.own.describe(ctx, kind, name)
		if errors.Is(err, ErrNoTable) {
			continue
		}
		if err != nil {
			return nil, err
		}
		empty, err := c.own.isEmpty(ctx, name)
		if err != nil {
			return nil, err
		}
		if !empty {
			target[name] = info.identity()
		}
	}
	return target, nil
}

// isEmpty reports whether the table holds nothing.
func (s *Store) isEmpty(ctx context.Context, table string) (bool, error) {
	in := &dynamodb.ScanInput{
		TableName: &table, Limit: new(int32(1)), ConsistentRead: new(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	for {
		out, err := call(ctx, s, operation{name: "Scan", table: table, pace: s.reads, units: 1}, s.client.Scan, in)
		if err != nil || len(out.Items) > 0 || out.LastEvaluatedKey == nil {
			return err == nil && len(out.Items) == 0, err
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// decodeRow reads the content of a row of lanyardctl's own table.
func decodeRow(row item, into any) error {
	if err := json.Unmarshal([]byte(text(row, ownContent)), into); err != nil {
		return fmt.Errorf("the row %q of the table %s cannot be read: %w", text(row, ownID), OwnTable, err)
	}
	return nil
}
