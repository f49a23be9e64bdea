package controllers

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestWhoseTurnHasComeIsLookedAtFirst(t *testing.T) {
	turns := map[string]bool{}
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{
		Queue: newTurnsFirst(func(key types.NamespacedName) bool { return turns[key.Name] }),
	})
	add := func(name string) { queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}) }
	get := func() string {
		item, _ := queue.Get()
		return item.Name
	}
	for i := range 5 {
		add(fmt.Sprint(i))
	}
	turns["3"], turns["new"] = true, true
	add("3")   // it stands in line
	add("new") // it does not
	add("1")   // it has no turn
	var order []string
	for queue.Len() > 0 {
		order = append(order, get())
	}
	if want := []string{"3", "new", "0", "1", "2", "4"}; !slices.Equal(order, want) {
		t.Errorf("they are looked at as %v, want %v", order, want)
	}
	// One that is looked at just now comes again when that is done, by what it has then.
	turns["4"] = true
	add("5")
	add("4")
	if queue.Done(reconcile.Request{NamespacedName: types.NamespacedName{Name: "4"}}); get() != "4" || get() != "5" {
		t.Error("a turn that came during a pass is not first")
	}
}
