package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/record"
)

// ErrTableStatus tells that a table is being made or deleted.
var ErrTableStatus = errors.New("the table is not ready")

// TableInfo is what DynamoDB says of a table.
type TableInfo struct {
	Kind    record.Kind
	Name    string
	Keys    []record.Attribute // the partition key, and the sort key where there is one
	Items   int64              // about so many: DynamoDB counts every six hours
	Bytes   int64              // as exact as Items
	Billing string             // "PAY_PER_REQUEST" or "PROVISIONED"
	ARN, ID string             // empty where the server does not tell
	Created time.Time
}

// Info is what is known of an open DynamoDB.
type Info struct {
	Region   string
	Endpoint string // without secrets; empty for AWS
	Tables   []TableInfo
}

// Info returns what was known when the store was opened.
func (s *Store) Info() Info {
	info := Info{Region: s.client.Options().Region, Endpoint: s.endpoint()}
	for _, kind := range s.opts.Tables.List() {
		info.Tables = append(info.Tables, s.tables[kind])
	}
	return info
}

// endpoint returns the URL of the server without secrets; nothing for AWS.
func (s *Store) endpoint() string {
	return redact.HideURI(aws.ToString(s.client.Options().BaseEndpoint))
}

// domains are AWS's. Hosts in them are AWS itself where they are named as endpoints, too: PrivateLink's, FIPS's.
var domains = []string{
	".amazonaws.com", ".api.aws", ".amazonaws.com.cn", ".api.amazonwebservices.com.cn", ".amazonaws.eu", ".api.amazonwebservices.eu",
}

// isAWS reports whether the server is AWS itself.
func (s *Store) isAWS() bool {
	u, err := url.Parse(aws.ToString(s.client.Options().BaseEndpoint))
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return host == "" || slices.ContainsFunc(domains, func(domain string) bool { return strings.HasSuffix(host, domain) })
}

// place names the DynamoDB for people.
func (s *Store) place() string {
	if endpoint := s.endpoint(); endpoint != "" {
		return "DynamoDB at " + endpoint
	}
	return "DynamoDB of " + s.client.Options().Region
}

// Keys returns the key of the kind's table, which is of Options.Tables: the partition key, and the sort key where there is one.
func (s *Store) Keys(kind record.Kind) []record.Attribute { return s.tables[kind].Keys }

// look learns what the tables are.
func (s *Store) look(ctx context.Context) error {
	s.tables = make(map[record.Kind]TableInfo)
	if s.opts.Tables == 0 { // whether there is a server that lets one in
		if _, err := s.describeTable(ctx, OwnTable); err != nil && !errors.Is(err, ErrNoTable) {
			return err
		}
	}
	var missing []string
	for _, kind := range s.opts.Tables.List() {
		t, ok := kind.Table()
		if !ok {
			return fmt.Errorf("%s is no table", kind)
		}
		info, status, err := s.describe(ctx, kind, t.Name)
		switch {
		case errors.Is(err, ErrNoTable):
			missing = append(missing, t.Name)
			continue
		case err != nil:
			return err
		case len(t.Keys) > 0 && !slices.EqualFunc(t.Keys, info.Keys, sameKey):
			return otherKey(t, info.Keys)
		case status == types.TableStatusCreating || status == types.TableStatusDeleting:
			return &TableError{ErrTableStatus, []string{t.Name}, fmt.Sprintf("%s is %s in %s", t.Name, status, s.place())}
		}
		s.tables[kind] = info
	}
	if missing != nil {
		return &TableError{ErrNoTable, missing, strings.Join(missing, ", ") + " in " + s.place()}
	}
	return nil
}

// describe returns what DynamoDB says of the table.
func (s *Store) describe(ctx context.Context, kind record.Kind, name string) (TableInfo, types.TableStatus, error) {
	t, err := s.describeTable(ctx, name)
	if err != nil {
		return TableInfo{}, "", err
	}
	info := TableInfo{
		Kind: kind, Name: name, Keys: keysOf(t),
		Items: aws.ToInt64(t.ItemCount), Bytes: aws.ToInt64(t.TableSizeBytes), Billing: billingOf(t),
		ARN: aws.ToString(t.TableArn), ID: aws.ToString(t.TableId), Created: aws.ToTime(t.CreationDateTime),
	}
	return info, t.TableStatus, nil
}

// billingOf returns how a table is paid for. AWS tells it of those alone that are or were paid for by the request.
func billingOf(t *types.TableDescription) string {
	if t.BillingModeSummary == nil {
		return string(types.BillingModeProvisioned)
	}
	return string(t.BillingModeSummary.BillingMode)
}

func (s *Store) describeTable(ctx context.Context, name string) (*types.TableDescription, error) {
	out, err := call(ctx, s, operation{name: "DescribeTable", table: name}, s.client.DescribeTable, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return nil, err
	}
	return out.Table, nil
}

// keysOf returns the key of a table, the partition key first.
func keysOf(t *types.TableDescription) []record.Attribute {
	var keys []record.Attribute
	for _, role := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange} {
		for _, k := range t.KeySchema {
			if k.KeyType != role {
				continue
			}
			key := record.Attribute{Name: aws.ToString(k.AttributeName)}
			for _, a := range t.AttributeDefinitions {
				if aws.ToString(a.AttributeName) == key.Name {
					key.Type = record.AttributeType(a.AttributeType)
				}
			}
			keys = append(keys, key)
		}
	}
	return keys
}

func sameKey(a, b record.Attribute) bool { return a.Name == b.Name && a.Type == b.Type }

// keysText shows a key: "discord_server_id (N), rem_key (S)".
func keysText(keys []record.Attribute) string {
	var texts []string
	for _, k := range keys {
		texts = append(texts, fmt.Sprintf("%s (%s)", k.Name, k.Type))
	}
	return strings.Join(texts, ", ")
}

// Contents returns about how many items the tables hold.
func (s *Store) Contents(ctx context.Context, kinds record.Kinds) (map[record.Kind]int64, error) {
	contents := make(map[record.Kind]int64)
	for _, kind := range kinds.List() {
		n, err := s.Estimate(ctx, kind)
		if err != nil {
			return nil, err
		}
		contents[kind] = n
	}
	return contents, nil
}

// Estimate returns about how many items the kind's table holds. Of one that held nothing when DynamoDB counted last, that is
// at least whether it holds something.
func (s *Store) Estimate(ctx context.Context, kind record.Kind) (int64, error) {
	n, err := s.counted(ctx, kind)
	if err != nil || n > 0 {
		return n, err
	}
	empty, err := s.isEmpty(ctx, s.tables[kind].Name)
	if err != nil || empty {
		return 0, err
	}
	return 1, nil
}

// counted returns how many items the kind's table held when DynamoDB counted them last.
func (s *Store) counted(ctx context.Context, kind record.Kind) (int64, error) {
	info, _, err := s.describe(ctx, kind, s.tables[kind].Name)
	return info.Items, err
}

// Close ends the connections.
func (s *Store) Close() error {
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	return nil
}
