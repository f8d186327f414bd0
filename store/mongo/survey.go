package mongo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// surveying is a survey in the making.
type surveying struct {
	*Store
	exact bool
	now   time.Time

	mu     sync.Mutex // of what follows
	survey record.Survey
}

// Survey implements [record.Surveyor]. After an error it returns what it knows by then.
func (s *Store) Survey(ctx context.Context, o record.SurveyOptions) (record.Survey, error) {
	v := &surveying{Store: s, exact: o.Within <= 0, now: o.Now}
	if v.now.IsZero() {
		v.now = time.Now()
	}
	err := v.servers(ctx)
	if err == nil {
		err = v.interruptedRuns(ctx)
	}
	if err == nil {
		err = v.collections(ctx, o.Within)
	}
	v.sort()
	return v.survey, err
}

// sort puts what was found side by side into an order that does not change from survey to survey.
func (v *surveying) sort() {
	place := func(name string) int {
		c, _ := record.ParseCollection(name)
		return int(c)
	}
	slices.SortStableFunc(v.survey.Faults, func(a, b record.Fault) int { return place(a.Place) - place(b.Place) })
	slices.SortStableFunc(v.survey.Counts, func(a, b record.PlaceCount) int { return place(a.Place) - place(b.Place) })
	slices.Sort(v.survey.Unchecked)
}

func (v *surveying) fault(f record.Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.survey.Faults = append(v.survey.Faults, f)
}

func (v *surveying) count(c record.Collection, n int64, estimated bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.survey.Counts = append(v.survey.Counts, record.PlaceCount{Place: c.String(), Kind: c.Form(), Count: n, Estimated: estimated})
}

func (v *surveying) unchecked(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.survey.Unchecked = append(v.survey.Unchecked, fmt.Sprintf(format, args...))
}

// allowed returns nil in place of the error of a look that the user may not take, having noted it.
func (v *surveying) allowed(what string, err error) error {
	if err == nil || classify(err) != permission {
		return err
	}
	v.unchecked("%s: MongoDB does not let the user look", what)
	return nil
}

func (v *surveying) interruptedRuns(ctx context.Context) error {
	q := query{projection: bson.D{{Key: "_id", Value: 1}, {Key: "heartbeat", Value: 1}}}
	for doc, err := range v.stream(ctx, CheckpointCollection, q) {
		if err != nil {
			return v.allowed(CheckpointCollection, v.wrap("look for interrupted runs", err))
		}
		id, _ := lookup(doc, "_id").StringValueOK()
		last, ok := lookup(doc, "heartbeat").TimeOK()
		if ok && v.now.Sub(last) < record.HeartbeatLasts {
			continue
		}
		v.fault(record.Fault{Code: record.InterruptedRun, Place: CheckpointCollection, Count: 1, Detail: id})
	}
	return nil
}

// collections looks at Lanyard's collections side by side: what grows with the data for so long, or as long as it takes
// where within is zero.
func (v *surveying) collections(ctx context.Context, within time.Duration) error {
	bounded := ctx
	if within > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, c := range record.UserCollections {
		g.Go(func() error { return v.allowed(c.String(), v.users(ctx, bounded, c)) })
	}
	g.Go(func() error { return v.allowed(record.MetricsCollection.String(), v.metrics(ctx)) })
	return g.Wait()
}

// users looks at a collection of documents of users.
func (v *surveying) users(ctx, bounded context.Context, c record.Collection) error {
	name := c.String()
	empty, err := v.isEmpty(ctx, name)
	if err != nil {
		return err
	}
	if empty {
		if c != record.UsersCollection { // which most Lanyards do not have
			v.count(c, 0, false)
		}
		return nil
	}
	l := &look{collection: c, exact: v.exact, faults: make(map[record.FaultCode]*record.Fault)}
	if kind, ok := c.Kind(); ok {
		if l.unique, err = v.lacking(ctx, kind); err != nil {
			return err
		}
	}
	if !v.exact {
		n, err := v.estimate(ctx, name)
		if err != nil {
			return v.wrap("count the documents of "+name, err)
		}
		l.total = n
		v.count(c, n, true)
	}
	err = v.dialect.look(bounded, v.Store, l)
	if err == nil {
		err = l.settle(bounded, v.Store)
	}
	late := ctx.Err() == nil && (bounded.Err() != nil || hasCode(err, codeMaxTimeExpired))
	if err != nil && !late {
		return v.wrap("look at the documents of "+name, err)
	}
	if v.exact && err == nil {
		v.count(c, l.documents, false)
	}
	for _, f := range l.found(err != nil) {
		v.fault(f)
	}
	if err != nil {
		v.unchecked("%s", l.missed())
	}
	return nil
}

// lacking returns the fields of a kind's documents on which there is no unique index, and notes that.
func (v *surveying) lacking(ctx context.Context, kind record.Kind) (fields []string, err error) {
	indexes, err := v.indexes(ctx, kind)
	if err != nil {
		return nil, err
	}
	for _, field := range uniqueFields(kind) {
		unique, inTheWay := indexes.unique(field)
		if unique != "" {
			continue
		}
		fields = append(fields, field)
		f := record.Fault{Code: record.MissingIndex, Place: collectionName(kind), Field: field}
		if inTheWay != "" {
			f.Code, f.Detail = record.UnfitIndex, inTheWay
		}
		v.fault(f)
	}
	return fields, nil
}

// metrics looks at the documents of the counters, which are few.
func (v *surveying) metrics(ctx context.Context) error {
	var global, byID []bson.Raw
	for doc, err := range v.documents(ctx, record.Metrics, countersFilter, nil) {
		switch {
		case err != nil:
			return v.wrap("read "+collectionName(record.Metrics), err)
		case isGlobal(doc):
			global = append(global, slices.Clone(doc))
		default:
			byID = append(byID, slices.Clone(doc))
		}
	}
	v.count(record.MetricsCollection, int64(max(len(global), min(len(byID), 1))), false)
	f := record.Fault{Place: collectionName(record.Metrics)}
	if len(global) == 0 && len(byID) > 0 {
		f.Code, f.Count = record.UntypedCounters, 1
		v.fault(f)
		global = byID[:1]
	}
	if len(global) > 1 {
		f.Code, f.Count, f.Detail = record.SeveralCounters, int64(len(global)), shellID(lastUpdated(global))
		v.fault(f)
	}
	bad := make(map[string]string)
	for _, doc := range global {
		for _, e := range elementsOf(doc) {
			if name := e.Key(); !record.ReservedCounter(name) && !readableCount(name, e.Value()) {
				bad[name] = ""
			}
		}
	}
	if len(bad) == 0 {
		return nil
	}
	names := sortedNames(bad)
	f.Code, f.Field, f.Count = record.UnreadableCount, names[0], int64(len(names))
	unset := make(record.Object)
	for _, name := range names[:min(len(names), record.MostNamed)] {
		unset[name] = ""
	}
	f.Detail = string(record.JSON(unset))
	v.fault(f)
	return nil
}

// readableCount reports whether the app can begin with the counter.
func readableCount(name string, value bson.RawValue) bool {
	switch value.Type {
	case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble:
		_, reason, _ := record.Counter(name, number(value))
		return reason == ""
	}
	return false
}

// lastUpdated returns the document that the app wrote last.
func lastUpdated(documents []bson.Raw) bson.Raw {
	at := func(doc bson.Raw) time.Time {
		t, _ := lookup(doc, "updated_at").TimeOK()
		return t
	}
	return slices.MaxFunc(documents, func(a, b bson.Raw) int { return at(a).Compare(at(b)) })
}

// shellID returns a document's _id as a MongoDB shell takes it.
func shellID(doc bson.Raw) string {
	id := lookup(doc, "_id")
	switch id.Type {
	case bson.TypeObjectID:
		return fmt.Sprintf("ObjectId(%q)", id.ObjectID().Hex())
	case bson.TypeString, bson.TypeInt32, bson.TypeDouble, bson.TypeBoolean:
		return id.String()
	}
	return fmt.Sprintf("EJSON.parse(%q)", id.String())
}

// servers tells of the servers that the URI leads to.
func (v *surveying) servers(ctx context.Context) error {
	began := time.Now()
	if err := v.admin(ctx, "ping", nil); err != nil {
		return v.wrap("ping the server", err)
	}
	asked := record.Server{
		Name: v.info.Server, Version: v.info.Version, Addr: v.me, Role: "standalone", Part: v.info.Topology,
		Ping: time.Since(began), TLS: v.tls, Keeps: v.keeps(ctx),
	}
	switch {
	case v.router:
		asked.Role = "mongos"
	case v.info.Lagging != "":
		asked.Role = "secondary"
		v.survey.Faults = append(v.survey.Faults, record.Fault{Code: record.NotPrimary, Place: asked.Addr, Detail: v.info.Primary})
	case v.inSet:
		asked.Role = "primary"
	}
	v.survey.Servers = []record.Server{asked}
	if v.inSet {
		if err := v.setMembers(ctx, asked); err != nil {
			return err
		}
	}
	for _, down := range v.info.Down {
		v.survey.Faults = append(v.survey.Faults, record.Fault{Code: record.MemberDown, Place: v.info.Topology, Count: 1, Detail: down})
	}
	return nil
}

// setMembers tells of all members of the replica set, as far as the user may ask, and by how much they lag.
func (v *surveying) setMembers(ctx context.Context, asked record.Server) error {
	var status struct {
		Members []struct {
			Name     string    `bson:"name"`
			StateStr string    `bson:"stateStr"`
			Health   float64   `bson:"health"`
			Optime   time.Time `bson:"optimeDate"`
			Self     bool      `bson:"self"`
		} `bson:"members"`
	}
	err := v.admin(ctx, "replSetGetStatus", &status)
	switch {
	case err != nil && classify(err) == permission:
		v.survey.Unchecked = append(v.survey.Unchecked, "replication lag: MongoDB does not let the user ask (the role clusterMonitor does)")
		return nil
	case err != nil && classify(err) == transient:
		return v.wrap("ask for the replica set's state", err)
	case err != nil: // a server that is in no such set, whatever it says
		return nil
	}
	roles := map[string]string{"PRIMARY": "primary", "SECONDARY": "secondary", "ARBITER": "arbiter"}
	var newest time.Time
	for _, m := range status.Members {
		if m.StateStr == "PRIMARY" {
			newest = m.Optime
		}
	}
	var list []record.Server
	var furthest record.Server
	for _, m := range status.Members {
		server := record.Server{Name: asked.Name, Addr: m.Name, Role: roles[m.StateStr], Part: asked.Part, TLS: asked.TLS}
		if m.Self {
			server.Version, server.Ping, server.Keeps = asked.Version, asked.Ping, asked.Keeps
		}
		if m.StateStr == "SECONDARY" && m.Health > 0 && !newest.IsZero() {
			server.Lag, server.HasLag = max(newest.Sub(m.Optime), 0), true
			furthest.Lag, furthest.HasLag = max(furthest.Lag, server.Lag), true
		}
		if server.Role != "" { // else it is down, which is told
			list = append(list, server)
		}
	}
	for i := range list {
		if list[i].Role == "primary" {
			list[i].Lag, list[i].HasLag = furthest.Lag, furthest.HasLag
		}
	}
	if len(list) > 0 {
		v.survey.Servers = list
	}
	return nil
}

// keeps says how the server's data outlive its end, nothing where that may not be asked.
func (v *surveying) keeps(ctx context.Context) string {
	var status struct {
		Engine struct {
			Name       string `bson:"name"`
			Persistent *bool  `bson:"persistent"`
		} `bson:"storageEngine"`
	}
	err := v.admin(ctx, "serverStatus", &status)
	switch {
	case err != nil || status.Engine.Persistent == nil:
		return ""
	case !*status.Engine.Persistent:
		return "in memory alone"
	}
	return "journal"
}

// admin runs a command of the admin database that has no parameters.
func (v *surveying) admin(ctx context.Context, command string, answer any) error {
	return v.command(ctx, func(ctx context.Context) error {
		res := v.client.Database("admin").RunCommand(ctx, bson.D{{Key: command, Value: 1}})
		if answer == nil {
			return res.Err()
		}
		return res.Decode(answer)
	})
}

// repeatedValues calls yield for each value of the field that stands in several documents of the collection.
func (s *Store) repeatedValues(ctx context.Context, collection, field string, yield func(bson.RawValue)) error {
	pipeline := bson.A{
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$" + field}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "n", Value: bson.D{{Key: "$gt", Value: 1}}}}}},
	}
	cursor, err := s.db.Collection(collection).Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true).SetCollation(s.bytewise()))
	if err != nil {
		return err
	}
	defer closeCursor(ctx, cursor)
	for cursor.Next(ctx) {
		yield(lookup(cursor.Current, "_id"))
	}
	return cursor.Err()
}
