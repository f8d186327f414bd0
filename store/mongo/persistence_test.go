package mongo_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

func TestPersistenceConforms(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	storetest.Persistence(t, func(t testing.TB) storetest.PersistenceTarget { return newFixture(t, uri).persistenceTarget() })
}

// TestPersistenceConformsOnThePathForMongoDB runs the suite with the statements that MongoDB gets.
func TestPersistenceConformsOnThePathForMongoDB(t *testing.T) {
	t.Parallel()
	open := asMongoDB(t, "find", "update", "delete")
	storetest.Persistence(t, func(t testing.TB) storetest.PersistenceTarget { return open(t).persistenceTarget() })
}

// persistenceTarget has what the app does by the app's own statements.
func (f *fixture) persistenceTarget() storetest.PersistenceTarget {
	upsert := func(collection string, filter, set bson.D) {
		f.t.Helper()
		change := bson.D{{Key: "$set", Value: set}}
		if _, err := f.db.Collection(collection).UpdateOne(context.Background(), filter, change, options.UpdateOne().SetUpsert(true)); err != nil {
			f.t.Error(err)
		}
	}
	of := func(user record.UserID) bson.D { return bson.D{{Key: "user_id", Value: user.String()}} }
	found := func(collection string, filter bson.D) (doc bson.M) {
		f.t.Helper()
		// Without a document it is none.
		_ = f.db.Collection(collection).FindOne(context.Background(), filter).Decode(&doc)
		return doc
	}
	return storetest.PersistenceTarget{
		Persistence: f.store.Persistence(),
		App:         record.Fork,
		SetPair: func(user record.UserID, name string, v record.Value) {
			upsert("kv", of(user), bson.D{{Key: "kv." + name, Value: v}})
		},
		SetNoPairs: func(user record.UserID) { upsert("kv", of(user), bson.D{{Key: "kv", Value: bson.D{}}}) },
		Pairs: func(user record.UserID) map[string]record.Value {
			pairs, _ := plain(found("kv", of(user))["kv"]).(record.Object)
			return pairs
		},
		SetTime: func(kind record.Kind, user record.UserID, t int64) {
			upsert(collection(kind), of(user), bson.D{{Key: record.TimeField(kind), Value: t}})
		},
		SetAPIKey: func(user record.UserID, key string) {
			f.insert("api_keys", append(of(user), bson.E{Key: "key", Value: key}, bson.E{Key: "created_at", Value: storetest.Now}))
		},
		UserOf: func(key string) record.UserID {
			text, _ := found("api_keys", bson.D{{Key: "key", Value: key}})["user_id"].(string)
			user, _ := record.ParseUserID(text)
			return user
		},
		SetCounters: func(counters map[string]record.Value) {
			set := bson.D{}
			for name, v := range counters {
				set = append(set, bson.E{Key: name, Value: v})
			}
			upsert("metrics", bson.D{{Key: "type", Value: "global"}}, set)
		},
		Counters: func() map[string]record.Value {
			counters := make(map[string]record.Value)
			for name, v := range found("metrics", bson.D{{Key: "type", Value: "global"}}) {
				if !record.ReservedCounter(name) {
					counters[name] = plain(v)
				}
			}
			return counters
		},
	}
}

// TestALockThatAKilledProcessLeft is of FerretDB, where one is needed.
func TestALockThatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	id := "change kv " + alice.String()
	lock := func(host string, pid int, at time.Time) {
		t.Helper()
		f.replace("lanyardctl_leases", bson.D{has("_id", id)}, bson.D{
			has("_id", id), has("run", bson.NewObjectID()), has("at", at), has("host", host), has("pid", pid),
		})
	}
	p := f.store.Persistence()
	set := func(ctx context.Context, v string) error {
		_, err := p.UpdatePairs(ctx, record.Fork, alice, func(record.Entry) (record.PairChange, error) {
			return record.PairChange{Set: values{"a": v}}, nil
		})
		return err
	}
	lock(host, dead.Process.Pid, time.Now())
	if err := set(t.Context(), "1"); err != nil {
		t.Errorf("after a process that is dead: %v", err)
	}
	lock("elsewhere", dead.Process.Pid, time.Now().Add(-2*time.Minute))
	if err := set(t.Context(), "2"); err != nil {
		t.Errorf("after a process of another host that took too long: %v", err)
	}
	if n := len(f.documents("lanyardctl_leases")); n != 0 {
		t.Errorf("%d locks are left", n)
	}
	lock(host, os.Getpid(), time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := set(ctx, "3"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a process that lives: %v", err)
	}
	if pairs := f.persistenceTarget().Pairs(alice); pairs["a"] != "2" {
		t.Errorf("%v", pairs)
	}
}
