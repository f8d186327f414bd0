package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// OwnTable is the table in which lanyardctl keeps what it has to know of a DynamoDB that it writes to: digests of the items
// that it wrote, checkpoints of runs, and how runs ended. The first write makes it. Its partition key is "id", a text.
const OwnTable = "lanyardctl"

// The attributes of its rows.
const (
	ownID      = "id"
	ownBy      = "by"      // of a digest: who wrote it
	ownScope   = "scope"   // of a checkpoint
	ownRun     = "run"     // of a checkpoint: its owner's
	ownContent = "content" // of a checkpoint or a run: JSON
	ownNames   = "names"   // of a list: the rest of the ids of its rows
)

// ownKeys are the table's.
var ownKeys = []record.Attribute{{Name: ownID, Type: record.TextType}}

// ownTable is lanyardctl's own table.
type ownTable struct {
	*Store

	mu   sync.Mutex
	made bool
}

// ensure makes the table where there is none.
func (o *ownTable) ensure(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.made {
		return nil
	}
	err := o.make(ctx)
	o.made = err == nil
	return explained(err)
}

// explained adds to an error what DynamoDB has to allow.
func explained(err error) error {
	if !errors.Is(err, ErrPermission) {
		return err
	}
	return fmt.Errorf("%w; lanyardctl keeps in the table %s which items it wrote and how far it came: allow dynamodb:DescribeTable, CreateTable, BatchGetItem, "+
		"BatchWriteItem, PutItem, UpdateItem and DeleteItem on it, or have somebody make it, with the partition key %s of the type %s, and allow the others",
		err, OwnTable, ownID, record.TextType)
}

func (o *ownTable) make(ctx context.Context) error {
	table, err := o.describeTable(ctx, OwnTable)
	switch {
	case errors.Is(err, ErrNoTable):
		err = o.create(ctx)
	case err == nil && table.TableStatus == types.TableStatusDeleting:
		err = &TableError{ErrTableStatus, []string{OwnTable}, OwnTable + " is being deleted in " + o.place()}
	}
	if err != nil {
		return err
	}
	if err := o.await(ctx, &CreatedTable{Table: record.Table{Name: OwnTable, Keys: ownKeys}}, 0); err != nil {
		return err
	}
	return until(ctx, OwnTable, "items", 0, func() (bool, error) { // whose servers may learn of a new table later
		_, err := o.getItems(ctx, OwnTable, []item{{ownID: asText(runList)}})
		if errors.Is(err, ErrNoTable) {
			return false, nil
		}
		return err == nil, err
	})
}

func (o *ownTable) create(ctx context.Context) error {
	_, err := call(ctx, o.Store, operation{name: "CreateTable", table: OwnTable}, o.client.CreateTable, &dynamodb.CreateTableInput{
		TableName:            new(OwnTable),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new(ownID), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new(ownID), KeyType: types.KeyTypeHash}},
	})
	if _, exists := errors.AsType[*types.ResourceInUseException](err); exists { // somebody was faster
		return nil
	}
	return err
}

// rows returns those of the rows that are there, by their ids.
func (o *ownTable) rows(ctx context.Context, ids []string) (map[string]item, error) {
	keys := make([]item, len(ids))
	for i, id := range ids {
		keys[i] = item{ownID: asText(id)}
	}
	items, err := o.getItems(ctx, OwnTable, keys)
	if err != nil && !errors.Is(err, ErrNoTable) {
		return nil, explained(err)
	}
	rows := make(map[string]item, len(items))
	for _, it := range items {
		rows[text(it, ownID)] = it
	}
	return rows, nil
}

// put writes a row where the condition holds, which may be nil, and reports whether it did.
func (o *ownTable) put(ctx context.Context, row item, e *expression) (bool, error) {
	if err := o.ensure(ctx); err != nil {
		return false, err
	}
	in := &dynamodb.PutItemInput{TableName: new(OwnTable), Item: row, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal}
	if e != nil {
		in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.condition(), e.names, e.values
	}
	_, err := call(ctx, o.Store, operation{name: "PutItem", table: OwnTable, pace: o.writes, units: 1}, o.client.PutItem, in)
	return met(err)
}

// remove deletes a row where the condition holds, which may be nil.
func (o *ownTable) remove(ctx context.Context, id string, e *expression) error {
	in := &dynamodb.DeleteItemInput{TableName: new(OwnTable), Key: item{ownID: asText(id)}, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal}
	if e != nil {
		in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.condition(), e.names, e.values
	}
	_, err := call(ctx, o.Store, operation{name: "DeleteItem", table: OwnTable, pace: o.writes, units: 1}, o.client.DeleteItem, in)
	if _, err = met(err); errors.Is(err, ErrNoTable) {
		return nil
	}
	return err
}

// The lists of rows: only they tell which there are, since nobody looks at all digests for them.
const (
	checkpointList = "checkpoints"
	runList        = "runs"
)

// list adds a row's name to a list, or takes it off.
func (o *ownTable) list(ctx context.Context, list, name string, add bool) error {
	e := newExpression()
	verb := "DELETE "
	if add {
		verb = "ADD "
	}
	update := verb + e.name(ownNames) + " " + e.value(&types.AttributeValueMemberSS{Value: []string{name}})
	_, err := call(ctx, o.Store, operation{name: "UpdateItem", table: OwnTable, pace: o.writes, units: 1}, o.client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName: new(OwnTable), Key: item{ownID: asText(list)}, UpdateExpression: &update,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if !add && errors.Is(err, ErrNoTable) {
		return nil
	}
	return err
}

// listed returns the rows of a list, whose ids begin with the prefix.
func (o *ownTable) listed(ctx context.Context, list, prefix string) (map[string]item, error) {
	rows, err := o.rows(ctx, []string{list})
	if err != nil {
		return nil, err
	}
	names, _ := rows[list][ownNames].(*types.AttributeValueMemberSS)
	if names == nil {
		return nil, nil
	}
	ids := make([]string, len(names.Value))
	for i, name := range names.Value {
		ids[i] = prefix + name
	}
	return o.rows(ctx, ids)
}

// met reports whether the condition of a write was met.
func met(err error) (bool, error) {
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return false, nil
	}
	return err == nil, err
}

func asText(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// text returns an attribute that is text.
func text(it item, name string) string {
	s, ok := it[name].(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}

// Forget deletes lanyardctl's own table, and returns how many rows it had. Then lanyardctl takes all items for somebody else's.
// A dry run only counts.
func (s *Store) Forget(ctx context.Context, dryRun bool) (rows int64, err error) {
	table, err := s.describeTable(ctx, OwnTable)
	switch {
	case errors.Is(err, ErrNoTable):
		return 0, nil
	case err != nil:
		return 0, err
	}
	if keys := keysOf(table); !slices.EqualFunc(ownKeys, keys, sameKey) {
		return 0, &TableError{ErrKeySchema, []string{OwnTable}, fmt.Sprintf("%s has the key %s, so that lanyardctl did not make it: look at it, and delete it yourself",
			OwnTable, keysText(keys))}
	}
	in := &dynamodb.ScanInput{TableName: new(OwnTable), Select: types.SelectCount, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal}
	for {
		out, err := call(ctx, s, operation{name: "Scan", table: OwnTable, pace: s.reads, units: 1}, s.client.Scan, in)
		if err != nil {
			return rows, err
		}
		rows += int64(out.Count)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	if dryRun {
		return rows, nil
	}
	_, err = call(ctx, s, operation{name: "DeleteTable", table: OwnTable}, s.client.DeleteTable, &dynamodb.DeleteTableInput{TableName: new(OwnTable)})
	if err != nil && !errors.Is(err, ErrNoTable) { // an attempt whose answer was lost deleted it
		return rows, err
	}
	unfinished := func(err error) bool { return errors.Is(err, ErrTableStatus) }
	return rows, retry.Policy{For: DefaultWait, Temporary: unfinished}.Do(ctx, func() error {
		_, err := s.describeTable(ctx, OwnTable)
		if errors.Is(err, ErrNoTable) {
			return nil
		}
		return cmp.Or(err, error(&TableError{ErrTableStatus, []string{OwnTable}, OwnTable + " is being deleted in " + s.place()}))
	})
}
