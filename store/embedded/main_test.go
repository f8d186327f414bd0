//go:build !noembedded

package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/store/embedded"
)

// lifeVariable makes the test binary run one server on the folder that it names, instead of tests.
const lifeVariable = "LANYARDCTL_TEST_EMBEDDED_LIFE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(lifeVariable); dir != "" {
		if err := life(context.Background(), dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// life starts a server, writes to it, makes it complain, and closes it. The default logger stays as it was.
func life(ctx context.Context, dir string) error {
	log := slog.Default()
	server, err := embedded.Start(ctx, embedded.Options{Dir: dir})
	if err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	if err != nil {
		return err
	}
	db := client.Database("lanyard")
	_, err = db.Collection("kv").InsertOne(ctx, bson.M{"_id": "x"})
	if db.RunCommand(ctx, bson.M{"noSuchCommand": 1}).Err() == nil {
		err = errors.Join(err, errors.New("the server knows a command that does not exist"))
	}
	if slog.Default() != log {
		err = errors.Join(err, errors.New("the default logger was replaced"))
	}
	return errors.Join(err, client.Disconnect(ctx), server.Close())
}
