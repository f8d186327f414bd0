package dynamo

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// listOf returns a list of so many numbers.
func listOf(n int) types.AttributeValue {
	list := &types.AttributeValueMemberL{}
	for i := range n {
		list.Value = append(list.Value, &types.AttributeValueMemberN{Value: fmt.Sprint(i)})
	}
	return list
}

func TestEveryStepFitsIntoARequest(t *testing.T) {
	t.Parallel()
	var changes []change
	for i := range 1000 {
		was := listOf(i % 200)
		if i%3 == 0 {
			was = nil
		}
		changes = append(changes, change{name: fmt.Sprint(i), was: was, is: map[bool]types.AttributeValue{true: listOf(1)}[i%5 > 0]})
	}
	steps, ends := stepsOf("key", changes, false)
	if len(steps) != len(ends) || ends[len(ends)-1] != len(changes) {
		t.Fatalf("%d steps end at %v", len(steps), ends)
	}
	changed := 0
	for i, e := range steps {
		if !e.fits() {
			t.Errorf("step %d: %d operators, a condition of %d bytes", i, e.operators, len(*e.condition()))
		}
		changed += len(e.sets) + len(e.removes)
	}
	if changed != len(changes) {
		t.Errorf("%d attributes are changed, want %d", changed, len(changes))
	}
}

func TestALargeListIsComparedAsAWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		members    int
		memberwise bool
		demands    int // with that of the key
	}{{20, false, 22}, {400, false, 2}, {400, true, 402}} {
		steps, _ := stepsOf("key", []change{{name: "list", was: listOf(c.members)}}, c.memberwise)
		if len(steps) != 1 || len(steps[0].demands) != c.demands {
			t.Errorf("%+v: %d steps, %d demands", c, len(steps), len(steps[0].demands))
		}
	}
}
