package dynamo

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestOneThrottledRequestInAWhileSlowsTheOthers guards that a server which throttles some requests whatever their rate is still
// read and written: by itself, the adaptive mode would make one in two seconds.
func TestOneThrottledRequestInAWhileSlowsTheOthers(t *testing.T) {
	t.Parallel()
	c := &calm{inner: awsretry.DefaultThrottles}
	throttled := &types.ProvisionedThroughputExceededException{}
	for i, want := range []aws.Ternary{aws.TrueTernary, aws.FalseTernary, aws.FalseTernary} {
		if other := c.IsErrorThrottle(errors.New("another error")); other != aws.FalseTernary {
			t.Errorf("another error slows requests down: %v", other)
		}
		if got := c.IsErrorThrottle(throttled); got != want {
			t.Errorf("throttled request %d slows the others down: %v", i, got)
		}
	}
	c.last = c.last.Add(-slowerEvery)
	if got := c.IsErrorThrottle(throttled); got != aws.TrueTernary {
		t.Errorf("after a while: %v", got)
	}
}

func TestTheWaitBetweenAttemptsIsShort(t *testing.T) {
	t.Parallel()
	for attempt := 1; attempt < 100; attempt++ {
		for range 20 {
			if d, err := backoff(attempt, nil); err != nil || d < 0 || d.Seconds() > 0.4 {
				t.Fatalf("after attempt %d: %s, %v", attempt, d, err)
			}
		}
	}
}
