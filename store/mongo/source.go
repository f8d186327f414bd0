package mongo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// SourceOptions says what to read.
type SourceOptions struct {
	Kinds record.Kinds

	// Users are the only ones to read, by point reads; none means all. With users the counters, which are nobody's, and items
	// of tables are left out.
	Users []record.UserID

	Now time.Time // decides which times are plausible; the time of the call where zero

	// Notify is told where the server is unavailable, and tried again. Nil tells nobody.
	Notify func(message string)
}

// Source delivers what the database holds, and writes nothing. See [record.Source]. It can be read any number of times.
//
// Documents of nobody's are rejects. A user with several documents is one item, of all of them: [Source.Deferred] delivers
// it, by a look at that user alone.
type Source struct {
	store       *Store
	kinds       record.Kinds
	users       []record.UserID // in ascending order; empty for all
	now         time.Time
	retry       retry.Policy        // while the server is unavailable, for as long as a command may take
	collections []*sourceCollection // those that exist
	uniqueKeys  bool                // an index lets no two documents bear one API key
	shared      map[string]bool     // API keys that several users have
	remarks     []string

	large      int64 // documents of a collection that is read in ranges
	pointBytes int   // of documents of several users that are held at a time
}

// sourceCollection is a collection as it was when the source was made.
type sourceCollection struct {
	kind     record.Kind
	uuid     string
	indexed  bool // it may have indexes: a view has none
	ordered  bool // its documents can be read in the order of their _ids
	collated bool // that is not the order of their bytes

	repeated map[record.UserID]bool // users with several documents
}

func (c *sourceCollection) name() string { return collectionName(c.kind) }

// maxRepeated is how many users with several documents, or API keys of several users, a source takes.
const maxRepeated = 5000

// Source looks at the collections and returns a source of what they hold. It fails with a [*DuplicatesError] where too many
// users have several documents.
func (s *Store) Source(ctx context.Context, o SourceOptions) (*Source, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	src := &Source{store: s, kinds: o.Kinds, users: distinctUsers(o.Users), now: o.Now, large: largeCollection, pointBytes: pointBytes}
	src.retry = retry.Policy{For: s.commandTimeout}
	if o.Notify != nil {
		src.retry.Notify = retry.Notice("the source", o.Notify)
	}
	if len(src.users) > 0 {
		src.kinds = 0
		for _, kind := range o.Kinds.List() {
			if ofUsers(kind) {
				src.kinds = src.kinds.With(kind)
			}
		}
	}
	collections, err := src.list(ctx)
	if err != nil {
		return nil, err
	}
	src.collections = collections
	g, looking := errgroup.WithContext(ctx)
	for _, c := range collections {
		g.Go(func() error { return src.retry.Do(looking, func() error { return src.inspect(looking, c) }) })
	}
	g.Go(func() error { return src.retry.Do(looking, func() error { return src.remark(looking) }) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return src, nil
}

// distinctUsers returns the users in ascending order, each once, without nobody.
func distinctUsers(users []record.UserID) []record.UserID {
	sorted := slices.Compact(slices.Sorted(slices.Values(users)))
	return slices.DeleteFunc(sorted, func(u record.UserID) bool { return u == 0 })
}

// list returns those of the kinds' collections that exist, in the order of the kinds.
func (s *Source) list(ctx context.Context) (list []*sourceCollection, err error) {
	names := []string{}
	kinds := make(map[string]record.Kind)
	for _, kind := range s.kinds.List() {
		names = append(names, collectionName(kind))
		kinds[collectionName(kind)] = kind
	}
	var infos []collectionInfo
	err = s.retry.Do(ctx, func() (err error) {
		infos, err = s.store.listCollections(ctx, names)
		return err
	})
	for _, info := range infos {
		plain := info.Type == "" || info.Type == "collection"
		list = append(list, &sourceCollection{
			kind: kinds[info.Name], uuid: hex.EncodeToString(info.Info.UUID.Data), indexed: plain,
			ordered: plain && s.store.dialect.ordersByID(), collated: !info.Options.Collation.comparesBytes(),
		})
	}
	slices.SortFunc(list, func(a, b *sourceCollection) int { return int(a.kind) - int(b.kind) })
	return list, err
}

// inspect finds what may stand twice in a collection of users. Of some users that shows when they are read.
func (s *Source) inspect(ctx context.Context, c *sourceCollection) error {
	if !ofUsers(c.kind) {
		return nil
	}
	var there indexes
	if c.indexed {
		var err error
		if there, err = s.store.indexes(ctx, c.kind); err != nil {
			return err
		}
	}
	c.repeated = make(map[record.UserID]bool)
	for _, field := range uniqueFields(c.kind) {
		u := uniqueField{kind: c.kind, field: field}
		unique, _ := there.unique(field)
		if u.secret() {
			s.uniqueKeys = unique != ""
		}
		if unique != "" || len(s.users) > 0 {
			continue
		}
		if err := s.findRepeated(ctx, c, u); err != nil {
			return err
		}
	}
	return nil
}

// findRepeated finds the users that have several documents, or the API keys that several users have.
func (s *Source) findRepeated(ctx context.Context, c *sourceCollection, u uniqueField) error {
	values, err := s.store.duplicates(ctx, u, maxRepeated+1)
	if err != nil {
		return err
	}
	if len(values) > maxRepeated {
		return fmt.Errorf("more than %d are more than can be decided one by one (lanyardctl sweep --dedupe makes one document of those of a user): %w",
			maxRepeated, s.store.duplicatesError(u, values))
	}
	var keys []string
	for _, v := range values {
		text, _ := v.StringValueOK()
		if u.secret() {
			keys = append(keys, text)
		} else if user, ok := record.ParseUserID(text); ok {
			c.repeated[user] = true
		}
	}
	if u.secret() {
		s.shared, err = s.sharedAmong(ctx, keys)
	}
	return err
}

// sharedAmong returns those of the API keys that stand in documents of several users.
func (s *Source) sharedAmong(ctx context.Context, keys []string) (map[string]bool, error) {
	const kind = record.APIKeys
	field := schemaOf(kind).about().secret
	projection := bson.D{{Key: "_id", Value: 0}, {Key: "user_id", Value: 1}, {Key: field, Value: 1}}
	first, shared := make(map[string]string), make(map[string]bool)
	asked := slices.Compact(slices.Sorted(slices.Values(keys)))
	for doc, err := range s.store.having(ctx, collectionName(kind), field, asked, projection) {
		if err != nil {
			return nil, s.store.wrap("find the users of API keys in "+collectionName(kind), err)
		}
		user, name, _ := owner(doc)
		if user != 0 {
			name = user.String()
		}
		key := lookup(doc, field).StringValue()
		if other, met := first[key]; met && other != name {
			shared[key] = true
		}
		first[key] = name
	}
	return shared, nil
}

// remark notes what is not read.
func (s *Source) remark(ctx context.Context) error {
	if !s.kinds.Has(record.MonitoringSince) {
		return nil
	}
	const c = record.UsersCollection
	empty, err := s.store.isEmpty(ctx, c.String())
	if err != nil || empty {
		return err
	}
	n, err := s.store.estimate(ctx, c.String())
	if err != nil {
		return s.store.wrap("count the documents of "+c.String(), err)
	}
	s.remarks = []string{fmt.Sprintf("the collection %s holds about %d documents, whose dates are not read: "+
		"lanyardctl sweep brings each user's earliest date into %s first", c, n, record.MonitoringCollection)}
	return nil
}

// Remarks returns what a person should know of what the source does not deliver.
func (s *Source) Remarks() []string { return s.remarks }

// Identity implements [record.Source]. It names the collections by their UUIDs, which no other server has, and what was
// held back because it stands twice: what is held back no more may lie behind a position.
func (s *Source) Identity() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mongodb %q", s.store.db.Name())
	held := sha256.New()
	for _, c := range s.collections {
		uuid := c.uuid
		if uuid == "" { // some servers tell none
			uuid = s.store.me
		}
		fmt.Fprintf(&b, " %s=%s", c.name(), uuid)
		fmt.Fprint(held, c.name(), slices.Sorted(maps.Keys(c.repeated)))
	}
	fmt.Fprintf(held, "%q", slices.Sorted(maps.Keys(s.shared)))
	fmt.Fprintf(&b, " held=%x", held.Sum(nil)[:8])
	return b.String()
}

// Total implements [record.Source]: it counts documents, or what is looked up of the users.
func (s *Source) Total(ctx context.Context) (total int64, err error) {
	if len(s.users) > 0 {
		return int64(len(s.users) * len(s.collections)), nil
	}
	for _, c := range s.collections {
		n, err := s.estimate(ctx, c)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (s *Source) estimate(ctx context.Context, c *sourceCollection) (n int64, err error) {
	err = s.retry.Do(ctx, func() error {
		if n, err = s.store.estimate(ctx, c.name()); err != nil {
			return s.store.wrap("count the documents of "+c.name(), err)
		}
		return nil
	})
	return n, err
}

// Parts implements [record.Source]: one part a collection, several for a large one, or one for all users that are asked
// for.
func (s *Source) Parts(ctx context.Context) ([]record.Part, error) {
	if len(s.users) > 0 {
		return []record.Part{usersPart{s}}, nil
	}
	var parts []record.Part
	for _, c := range s.collections {
		if !c.kind.Identified() {
			parts = append(parts, countersPart{s, c.kind})
			continue
		}
		n, err := s.estimate(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, ids := range c.ranges(n >= s.large) {
			parts = append(parts, &collectionPart{source: s, collection: c, ids: ids})
		}
	}
	return parts, nil
}

// Deferred implements [record.Source]: it reads the users that have several documents, and makes sure that the collections
// still are those that they were at the start.
func (s *Source) Deferred(ctx context.Context, yield func(record.Page) error) error {
	for _, c := range s.collections {
		users := slices.Sorted(maps.Keys(c.repeated))
		err := s.points(ctx, c.kind, users, func(items []record.Item, _ int) error { return yield(record.Page{Items: items}) })
		if err != nil {
			return err
		}
	}
	now, err := s.list(ctx)
	if err != nil {
		return err
	}
	for _, was := range s.collections {
		if !slices.ContainsFunc(now, func(c *sourceCollection) bool { return c.kind == was.kind && c.uuid == was.uuid }) {
			return fmt.Errorf("%w: the collection %s.%s was dropped or replaced while it was read", record.ErrSourceMoved, s.store.db.Name(), was.name())
		}
	}
	return nil
}
