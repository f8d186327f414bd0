package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// CreateOptions say how tables are made.
type CreateOptions struct {
	// DryRun tells what would be made, and makes nothing.
	DryRun bool

	// Wait is how long a table may take until it is ready; [DefaultWait] where zero.
	Wait time.Duration

	// NoWait leaves tables as they are that are not ready at once: what is missing of them, a later call adds.
	NoWait bool
}

// DefaultWait is how long a table may take until it is ready. Mostly it takes some seconds.
const DefaultWait = 5 * time.Minute

// Feature is what became of something that a table should have.
type Feature string

// The features' states.
const (
	FeatureOn          Feature = "on"          // it had it
	FeatureEnabled     Feature = "enabled"     // it has it now; in a dry run, it would
	FeatureOff         Feature = "off"         // a table that was there has not, and it is left so
	FeatureAWSOwned    Feature = "aws-owned"   // AWS encrypts each table; this one by a key of its own, which costs nothing
	FeatureUnsupported Feature = "unsupported" // the server has no such thing
	FeaturePending     Feature = "pending"     // the table is not ready for it yet
	FeatureUnknown     Feature = "unknown"     // nobody looked, because of an error
)

// CreatedTable is what became of a table.
type CreatedTable struct {
	Kind    record.Kind
	Table   record.Table
	Existed bool   // else it was made, or would be in a dry run
	Billing string // "PAY_PER_REQUEST", or "PROVISIONED" for one that was there

	Recovery   Feature // to any point in time
	Encryption Feature // at rest; on AWS, by a key in KMS, which costs, in place of one of DynamoDB's own
}

// CreateTables makes those of the tables of o that are not there, as the bot's Terraform does: paid for by the request, with
// point-in-time recovery and server-side encryption where the server has them. A table that is there has the recovery enabled,
// and nothing else changed. It returns what became of them, also with an error: then of those that it made, and of others that
// are there. The error is a [TableError] of [ErrKeySchema] where a table has another key; then none is made. Called again after
// a failure, it does what is left.
func CreateTables(ctx context.Context, o Options, c CreateOptions) ([]CreatedTable, error) {
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	tables, err := s.lookBefore(ctx)
	if err != nil {
		return nil, err
	}
	s.opened = true
	if !c.DryRun {
		for i := range tables {
			if !tables[i].Existed {
				if err := s.create(ctx, &tables[i]); err != nil {
					return tables[:i], err
				}
			}
		}
	}
	for i := range tables {
		if err := s.complete(ctx, &tables[i], c); err != nil {
			if c.DryRun {
				tables = tables[:i]
			}
			return tables, err
		}
	}
	return tables, nil
}

// lookBefore returns which of the tables are there.
func (s *Store) lookBefore(ctx context.Context) ([]CreatedTable, error) {
	var tables []CreatedTable
	for _, kind := range s.opts.Tables.List() {
		t, _ := kind.Table()
		if len(t.Keys) == 0 {
			return nil, &TableError{ErrKeySchema, []string{t.Name}, "nothing says what key " + t.Name + " is to have"}
		}
		created := CreatedTable{
			Kind: kind, Table: t, Billing: string(types.BillingModePayPerRequest), Recovery: FeaturePending, Encryption: FeaturePending,
		}
		out, err := s.describeTable(ctx, t.Name)
		switch {
		case errors.Is(err, ErrNoTable):
		case err != nil:
			return nil, err
		default:
			if keys := keysOf(out); !slices.EqualFunc(t.Keys, keys, sameKey) {
				return nil, otherKey(t, keys)
			}
			created.Existed, created.Billing = true, billingOf(out)
			created.Recovery, created.Encryption = FeatureUnknown, s.encryptionOf(out, FeatureOn)
		}
		tables = append(tables, created)
	}
	return tables, nil
}

// create makes a table. It may be there by the answer, where one was lost, or where somebody else made it.
func (s *Store) create(ctx context.Context, c *CreatedTable) error {
	yes := true
	in := &dynamodb.CreateTableInput{
		TableName: &c.Table.Name, BillingMode: types.BillingModePayPerRequest, SSESpecification: &types.SSESpecification{Enabled: &yes},
	}
	for i, key := range c.Table.Keys {
		role := types.KeyTypeHash
		if i > 0 {
			role = types.KeyTypeRange
		}
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &key.Name, KeyType: role})
		in.AttributeDefinitions = append(in.AttributeDefinitions,
			types.AttributeDefinition{AttributeName: &key.Name, AttributeType: types.ScalarAttributeType(key.Type)})
	}
	op := operation{name: "CreateTable", table: c.Table.Name}
	_, err := call(ctx, s, op, s.client.CreateTable, in)
	if hasCode(err, "ValidationException") && !s.isAWS() { // a server that knows no encryption
		in.SSESpecification = nil
		_, err = call(ctx, s, op, s.client.CreateTable, in)
	}
	if _, there := errors.AsType[*types.ResourceInUseException](err); there {
		err = nil
	}
	return err
}

// complete waits for a table, and gives it what it should have.
func (s *Store) complete(ctx context.Context, c *CreatedTable, o CreateOptions) error {
	if o.DryRun && !c.Existed {
		c.Recovery, c.Encryption = FeatureEnabled, FeatureEnabled
		return nil
	}
	switch {
	case o.NoWait && !o.DryRun:
		t, err := s.describeTable(ctx, c.Table.Name)
		if err != nil && !errors.Is(err, ErrNoTable) {
			return err
		}
		if err != nil || t.TableStatus != types.TableStatusActive {
			return nil
		}
		if !c.Existed {
			c.Encryption = s.encryptionOf(t, FeatureEnabled)
		}
	case !o.DryRun:
		if err := s.await(ctx, c, o.Wait); err != nil {
			return err
		}
	}
	return until(ctx, c.Table.Name, "backups", o.Wait, func() (bool, error) {
		err := s.enableRecovery(ctx, c, o.DryRun)
		// Of a new table, AWS prepares the backups for some minutes.
		if !hasCode(err, "ContinuousBackupsUnavailableException") && !hasCode(err, "TableNotFoundException") {
			return true, err
		}
		c.Recovery = FeaturePending
		return o.NoWait || o.DryRun, nil
	})
}

// until returns once the table is ready for something. It asks for as long as most says; [DefaultWait] where zero.
func until(ctx context.Context, table, something string, most time.Duration, ready func() (bool, error)) error {
	const first, longest = 50 * time.Millisecond, 2 * time.Second
	most = cmp.Or(max(most, 0), DefaultWait)
	end := time.Now().Add(most)
	for pause := first; ; pause = min(2*pause, longest) {
		if is, err := ready(); is || err != nil {
			return err
		}
		if time.Now().After(end) {
			return &TableError{ErrTableStatus, []string{table}, fmt.Sprintf("%s is not ready for %s after %s", table, something, most)}
		}
		if err := retry.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// await returns once the table can be used.
func (s *Store) await(ctx context.Context, c *CreatedTable, most time.Duration) error {
	return until(ctx, c.Table.Name, "use", most, func() (bool, error) {
		t, err := s.describeTable(ctx, c.Table.Name)
		switch {
		case errors.Is(err, ErrNoTable) && !c.Existed: // not everybody knows of a new one at once
			return false, nil
		case err != nil:
			return false, err
		case t.TableStatus != types.TableStatusActive && t.TableStatus != types.TableStatusUpdating:
			return false, nil
		}
		if keys := keysOf(t); !slices.EqualFunc(c.Table.Keys, keys, sameKey) {
			return false, otherKey(c.Table, keys)
		}
		if !c.Existed {
			c.Encryption = s.encryptionOf(t, FeatureEnabled)
		}
		return true, nil
	})
}

// enableRecovery enables the recovery to any point in time, where it is not.
func (s *Store) enableRecovery(ctx context.Context, c *CreatedTable, dryRun bool) error {
	out, err := call(ctx, s, operation{name: "DescribeContinuousBackups", table: c.Table.Name}, s.client.DescribeContinuousBackups,
		&dynamodb.DescribeContinuousBackupsInput{TableName: &c.Table.Name})
	if s.unsupported(err) {
		c.Recovery = FeatureUnsupported
		return nil
	}
	if err != nil {
		return err
	}
	if d := out.ContinuousBackupsDescription; d != nil && d.PointInTimeRecoveryDescription != nil &&
		d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		c.Recovery = FeatureOn
		return nil
	}
	if dryRun {
		c.Recovery = FeatureEnabled
		return nil
	}
	yes := true
	_, err = call(ctx, s, operation{name: "UpdateContinuousBackups", table: c.Table.Name}, s.client.UpdateContinuousBackups,
		&dynamodb.UpdateContinuousBackupsInput{TableName: &c.Table.Name,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: &yes}})
	switch {
	case s.unsupported(err):
		c.Recovery, err = FeatureUnsupported, nil
	case err == nil:
		c.Recovery = FeatureEnabled
	}
	return err
}

// unsupported reports whether a server does not have an operation, as others than AWS's may not.
func (s *Store) unsupported(err error) bool {
	return hasCode(err, "UnknownOperationException") || hasCode(err, "ValidationException") && !s.isAWS()
}

func hasCode(err error, code string) bool {
	answer, ok := errors.AsType[smithy.APIError](err)
	return ok && answer.ErrorCode() == code
}

// encryptionOf returns on where the table is encrypted, on AWS by a key in KMS, or is going to be. Of another table AWS tells
// nothing, as do servers that have no encryption.
func (s *Store) encryptionOf(t *types.TableDescription, on Feature) Feature {
	switch d := t.SSEDescription; {
	case d != nil && (d.Status == types.SSEStatusEnabled || d.Status == types.SSEStatusEnabling || d.Status == types.SSEStatusUpdating):
		return on
	case s.isAWS():
		return FeatureAWSOwned
	case on == FeatureOn:
		return FeatureOff
	}
	return FeatureUnsupported
}

func otherKey(t record.Table, keys []record.Attribute) error {
	return &TableError{ErrKeySchema, []string{t.Name}, fmt.Sprintf("%s has the key %s, and not %s", t.Name, keysText(keys), keysText(t.Keys))}
}
