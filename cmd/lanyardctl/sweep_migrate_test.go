package main

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestMigrateAndSweepAgree migrates, sweeps what forks left beside, and migrates again: each leaves what the other did, and
// verify is content throughout.
func TestMigrateAndSweepAgree(t *testing.T) {
	t.Parallel()
	redis, target := redisserver.Start(t), mongoserver.New(t)
	newWorld(t, redis.URI, 100, false, target.Limits)
	migrateWorld(t, redis.URI, target, exit.Done)
	verifyWorld(t, redis.URI, target, exit.Done)

	db := target.Connect(t)
	cursor, err := db.Collection("monitoring").Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var dates []struct {
		User  string `bson:"user_id"`
		Since int64  `bson:"since"`
	}
	if err := cursor.All(t.Context(), &dates); err != nil {
		t.Fatal(err)
	}
	var earlier []any
	for _, d := range dates {
		earlier = append(earlier, bson.D{{Key: "user_id", Value: d.User}, {Key: "since", Value: d.Since*1000 - 1}})
	}
	if _, err := db.Collection("users").InsertMany(t.Context(), earlier); err != nil {
		t.Fatal(err)
	}

	// Every date is one second earlier now, but for those that would be before the account's creation.
	first := sweepWorld(t, target, exit.Done, "--redis", redis.URI)
	if first.Changed < int64(len(dates))/2 || first.Sources["users.since"].Won != first.Changed {
		t.Errorf("%d dates, %+v", len(dates), first)
	}
	verifyWorld(t, redis.URI, target, exit.Done)
	again := migrateWorld(t, redis.URI, target, exit.Done)
	for kind, c := range again.Kinds {
		if c.Inserted+c.Updated > 0 {
			t.Errorf("migrated again: %s %+v", kind, c)
		}
	}
	verifyWorld(t, redis.URI, target, exit.Done)
	sweepWorld(t, target, exit.Done, "--redis", redis.URI, "--check")
}
