package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	core "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

const (
	driver   = "sightline.test/local-path"
	asked    = "volume.kubernetes.io/storage-provisioner"
	chosen   = "volume.kubernetes.io/selected-node"
	provided = "pv.kubernetes.io/provisioned-by"
)

type volumes struct {
	client kubernetes.Interface
	folder string // of each node, with its name in place of %s
	claims cache.Indexer
	all    cache.Indexer
	queue  workqueue.TypedRateLimitingInterface[string]
}

// reach gives a client of the API server that a kubeconfig names.
func reach(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// provisioner makes a folder on the node that the scheduler chose for each claim, and a local volume of it: root's,
// and shared with nobody, as on a fresh disk, so that a pod which sets no fsGroup is found out.
func provisioner() int {
	flags := flag.NewFlagSet("provisioner", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	folder := flags.String("folder", "", "where a node's volumes are; %s is the node's name")
	_ = flags.Parse(os.Args[1:])
	client, err := reach(*kubeconfig)
	if err != nil {
		log.Print(err)
		return 1
	}
	factory := informers.NewSharedInformerFactory(client, 30*time.Second)
	claims := factory.Core().V1().PersistentVolumeClaims().Informer()
	all := factory.Core().V1().PersistentVolumes().Informer()
	v := &volumes{
		client: client, folder: *folder, claims: claims.GetIndexer(), all: all.GetIndexer(),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	for kind, informer := range map[string]cache.SharedIndexInformer{"claim": claims, "volume": all} {
		add := func(object any) {
			if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
				v.queue.Add(kind + ":" + key)
			}
		}
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: add, UpdateFunc: func(_, object any) { add(object) },
		}); err != nil {
			log.Print(err)
			return 1
		}
	}
	ctx := context.Background()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for {
		key, _ := v.queue.Get()
		if err := v.handle(ctx, key); err != nil {
			log.Printf("%s: %v", key, err)
			v.queue.AddRateLimited(key)
		} else {
			v.queue.Forget(key)
		}
		v.queue.Done(key)
	}
}

func (v *volumes) handle(ctx context.Context, key string) error {
	if name, found := trim(key, "claim:"); found {
		if object, exists, err := v.claims.GetByKey(name); err != nil || !exists {
			return err
		} else {
			return v.provide(ctx, object.(*core.PersistentVolumeClaim))
		}
	}
	name, _ := trim(key, "volume:")
	object, exists, err := v.all.GetByKey(name)
	if err != nil || !exists {
		return err
	}
	return v.reclaim(ctx, object.(*core.PersistentVolume))
}

func trim(key, prefix string) (string, bool) {
	if len(key) > len(prefix) && key[:len(prefix)] == prefix {
		return key[len(prefix):], true
	}
	return "", false
}

func (v *volumes) path(node, name string) string {
	return filepath.Join(fmt.Sprintf(v.folder, node), name)
}

func (v *volumes) provide(ctx context.Context, claim *core.PersistentVolumeClaim) error {
	node := claim.Annotations[chosen]
	if claim.Annotations[asked] != driver || node == "" || claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil {
		return nil
	}
	class, err := v.client.StorageV1().StorageClasses().Get(ctx, *claim.Spec.StorageClassName, meta.GetOptions{})
	if err != nil {
		return err
	}
	name := "pvc-" + string(claim.UID)
	path := v.path(node, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	_, err = v.client.CoreV1().PersistentVolumes().Create(ctx, volume(claim, class, name, node, path), meta.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func volume(
	claim *core.PersistentVolumeClaim, class *storage.StorageClass, name, node, path string,
) *core.PersistentVolume {
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name, Annotations: map[string]string{provided: driver}},
		Spec: core.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
			StorageClassName:              class.Name,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &core.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: path}},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{NodeSelectorTerms: []core.NodeSelectorTerm{{
				MatchExpressions: []core.NodeSelectorRequirement{{
					Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{node},
				}},
			}}}},
		},
	}
}

func (v *volumes) reclaim(ctx context.Context, volume *core.PersistentVolume) error {
	if volume.Annotations[provided] != driver || volume.Status.Phase != core.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != core.PersistentVolumeReclaimDelete {
		return nil
	}
	if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
		return err
	}
	err := v.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{})
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}
