package dynamo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
)

// SourceOptions say how tables are read.
type SourceOptions struct {
	// Segments is how many readers a table has; [DefaultSegments] where zero.
	Segments int
}

// DefaultSegments is how many readers a table has, however large it is: a run that goes on where one ended needs the same.
const DefaultSegments = 4

// maxPages is how many pages are held at a time. Each is of 1 MiB at most, and takes several times as much once it is decoded.
const maxPages = 8

// Source returns the tables as a source of records.
func (s *Store) Source(o SourceOptions) record.Source {
	src := &source{store: s, held: make(chan struct{}, maxPages)}
	for _, t := range s.Info().Tables {
		src.tables = append(src.tables, sourceTable{t, cmp.Or(max(o.Segments, 0), DefaultSegments)})
	}
	return src
}

// source implements [record.Source].
type source struct {
	store  *Store
	tables []sourceTable
	held   chan struct{} // a place for each page that is held
}

type sourceTable struct {
	TableInfo
	segments int
}

// Parts returns a part for each segment of each table.
func (s *source) Parts(context.Context) ([]record.Part, error) {
	var parts []record.Part
	for _, t := range s.tables {
		for i := range t.segments {
			parts = append(parts, &segment{source: s, table: t, index: i})
		}
	}
	return parts, nil
}

// Total returns about how many items the tables hold.
func (s *source) Total(ctx context.Context) (int64, error) {
	var total int64
	for _, t := range s.tables {
		n, err := s.store.counted(ctx, t.Kind)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// Identity names the tables, which have others once they are made anew, and their segments.
func (s *source) Identity() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", s.store.place())
	for _, t := range s.tables {
		fmt.Fprintf(&b, " %s in %d", t.identity(), t.segments)
	}
	return b.String()
}

// identity tells a table from another of its name.
func (t TableInfo) identity() string {
	return fmt.Sprintf("%s=%s#%s@%s", t.Name, t.ARN, t.ID, t.Created.UTC().Format(time.RFC3339Nano))
}

// Deferred makes sure that the tables still are those that they were at the start. It delivers nothing.
func (s *source) Deferred(ctx context.Context, _ func(record.Page) error) error {
	for _, t := range s.tables {
		now, _, err := s.store.describe(ctx, t.Kind, t.Name)
		switch {
		case errors.Is(err, ErrNoTable):
			return moved(t.Name, err)
		case err != nil:
			return err
		case now.identity() != t.identity():
			return fmt.Errorf("%w: the table %s was made anew while it was read", record.ErrSourceMoved, t.Name)
		}
	}
	return nil
}

func moved(table string, err error) error {
	return fmt.Errorf("%w: the table %s was deleted while it was read: %w", record.ErrSourceMoved, table, err)
}

// segment implements [record.Part].
type segment struct {
	source *source
	table  sourceTable
	index  int
}

// Name implements [record.Part].
func (p *segment) Name() string {
	return fmt.Sprintf("%s segment %d of %d", p.table.Name, p.index+1, p.table.segments)
}

// Read implements [record.Part].
func (p *segment) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	if from == atEnd {
		return nil
	}
	start, err := parsePosition(from)
	if err != nil {
		return fmt.Errorf("read the %s: %w", p.Name(), err)
	}
	scan := scan{store: p.source.store, table: p.table.TableInfo, segment: p.index, segments: p.table.segments}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case p.source.held <- struct{}{}:
		}
		next, err := p.page(ctx, &scan, start, yield)
		<-p.source.held
		if err != nil || len(next) == 0 {
			return err
		}
		start = next
	}
}

// page delivers a page, and returns where the next one starts; nothing after the last.
func (p *segment) page(ctx context.Context, scan *scan, start item, yield func(record.Page) error) (next item, err error) {
	items, next, err := scan.page(ctx, start)
	if errors.Is(err, ErrNoTable) {
		return nil, moved(p.table.Name, err)
	}
	if err != nil {
		return nil, err
	}
	page := record.Page{Seen: record.KeyCounts{Keys: int64(len(items)), Lanyard: int64(len(items))}, Next: position(next)}
	for _, it := range items {
		page.Items = append(page.Items, p.source.store.recordOf(p.table.Kind, it))
	}
	return next, yield(page)
}

// scan reads a segment of a table page by page.
type scan struct {
	store             *Store
	table             TableInfo
	segment, segments int
	count             bool // items are counted, and not delivered

	average int // bytes of an item; zero where that is not known
	limit   int // items of the last page that was asked for
}

// page returns the items from start on, and where the next page starts; nothing after the last.
func (s *scan) page(ctx context.Context, start item) (items []item, next item, err error) {
	out, err := s.ask(ctx, start)
	if err != nil {
		return nil, nil, err
	}
	return out.Items, out.LastEvaluatedKey, nil
}

const maxPage = 1 << 20 // bytes of items

func (s *scan) ask(ctx context.Context, start item) (*dynamodb.ScanOutput, error) {
	in := &dynamodb.ScanInput{
		TableName: &s.table.Name, ExclusiveStartKey: start, ConsistentRead: &s.store.opts.Consistent,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	if s.segments > 1 {
		in.Segment, in.TotalSegments = aws.Int32(int32(s.segment)), aws.Int32(int32(s.segments))
	}
	if s.count {
		in.Select = types.SelectCount
	}
	bytes := maxPage
	if budget, held := s.store.pageBytes(); held {
		s.limit = s.nextLimit(min(budget, maxPage))
		in.Limit = aws.Int32(int32(s.limit))
		bytes = min(s.limit*s.average, maxPage)
	}
	op := operation{name: "Scan", table: s.table.Name, pace: s.store.reads, units: s.store.readUnits(bytes)}
	out, err := call(ctx, s.store, op, s.store.client.Scan, in)
	if err == nil && out.ScannedCount > 0 {
		s.learn(out)
	}
	return out, err
}

// pageBytes returns how many bytes a page may have where the capacity is held: what is read in a quarter of a second.
func (s *Store) pageBytes() (bytes int, held bool) {
	units, held := s.reads.perSecond()
	bytes = int(units / 4 * readUnit)
	if !s.opts.Consistent {
		bytes *= 2
	}
	return max(bytes, readUnit), held
}

// nextLimit returns how many items are of so many bytes. It grows slowly, as the next items may be larger than the last.
func (s *scan) nextLimit(bytes int) int {
	const growth, most = 4, 10_000
	s.average = cmp.Or(s.average, s.tableAverage())
	limit := min(max(bytes/cmp.Or(s.average, maxItem), 1), most)
	if s.limit > 0 {
		limit = min(limit, growth*s.limit)
	}
	return limit
}

func (s *scan) tableAverage() int {
	if s.table.Items == 0 {
		return 0
	}
	return int(s.table.Bytes / s.table.Items)
}

// learn takes the average of the page's items for that of the next ones.
func (s *scan) learn(out *dynamodb.ScanOutput) {
	if units := consumed(out); units > 0 {
		bytes := units * readUnit
		if !s.store.opts.Consistent {
			bytes *= 2
		}
		s.average = max(int(bytes)/int(out.ScannedCount), 1)
	}
}

// recordOf returns an item as a record.
func (s *Store) recordOf(kind record.Kind, it item) record.Item {
	table := s.tables[kind]
	fields, broken := fieldsOf(it)
	r := record.Record{Kind: kind, Fields: fields}
	name, err := record.ItemName(table.Keys, fields)
	if err == nil {
		r.Name = name
	}
	origin := table.Name + "/" + name.String()
	for name, f := range fields {
		f.Origin = record.Origin{Key: origin, Raw: string(appendWire(nil, it[name]))}
		fields[name] = f
	}
	switch {
	case broken != nil:
		return record.Item{Kind: kind, Rejects: r.Rejects(record.RefusedByTarget, broken.Error())}
	case err != nil:
		return record.Item{Kind: kind, Rejects: r.Rejects(record.InvalidItemKey, err.Error())}
	}
	out := record.Item{Kind: kind, Record: &r}
	described, _ := kind.Table()
	for _, a := range described.Attributes {
		if _, has := fields[a.Name]; !has && !a.Optional {
			out.Notes = []record.Note{record.Incomplete}
			break
		}
	}
	return out
}

// fieldsOf returns the values of an item. Where one cannot be read it has no value, and there is an error.
func fieldsOf(it item) (fields map[string]record.Field, broken error) {
	fields = make(map[string]record.Field, len(it))
	for name, a := range it {
		v, err := valueOf(a)
		if err != nil {
			broken = fmt.Errorf("the attribute %q: %w", name, err)
		}
		fields[name] = record.Field{Value: v}
	}
	return fields, broken
}

// atEnd is the position after the last page.
const atEnd = "end"

// position returns the text of where a page starts: the key of the item before it as DynamoDB's JSON.
func position(start item) string {
	if len(start) == 0 {
		return atEnd
	}
	text := appendWire(nil, &types.AttributeValueMemberM{Value: start})
	return string(text[len(`{"M":`) : len(text)-len(`}`)])
}

// parsePosition returns where a page starts; nothing for the start of the part.
func parsePosition(text string) (item, error) {
	if text == "" {
		return nil, nil
	}
	var attributes map[string]struct {
		S, N *string
		B    []byte
	}
	if err := json.Unmarshal([]byte(text), &attributes); err != nil {
		return nil, errors.New("the position is none of lanyardctl's")
	}
	start := make(item, len(attributes))
	for name, a := range attributes {
		switch {
		case a.S != nil:
			start[name] = &types.AttributeValueMemberS{Value: *a.S}
		case a.N != nil:
			start[name] = &types.AttributeValueMemberN{Value: *a.N}
		default:
			start[name] = &types.AttributeValueMemberB{Value: a.B}
		}
	}
	return start, nil
}
