package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
)

// policies is kube-router's firewall, and no more of kube-router: NetworkPolicies as iptables and ipset on one node.
func policies() int {
	flags := flag.NewFlagSet("policies", flag.ExitOnError)
	config := options.NewKubeRouterConfig()
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	flags.StringVar(&config.HostnameOverride, "node", "", "this node's name")
	services := flags.String("service-cluster-ip-range", "", "where ClusterIPs are")
	_ = flags.Parse(os.Args[1:])
	config.ClusterIPCIDRs = []string{*services}
	config.EnableIPv4 = true
	config.RunFirewall = true
	config.IPTablesSyncPeriod = time.Minute

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	client, err := reach(*kubeconfig)
	if err != nil {
		log.Print(err)
		return 1
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	rules := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		log.Print(err)
		return 1
	}
	firewall, err := netpol.NewNetworkPolicyController(
		client, config, pods, rules, namespaces, &sync.Mutex{}, tables, sets)
	if err != nil {
		log.Print(err)
		return 1
	}
	_, err = pods.AddEventHandler(firewall.PodEventHandler)
	if err == nil {
		_, err = namespaces.AddEventHandler(firewall.NamespaceEventHandler)
	}
	if err == nil {
		_, err = rules.AddEventHandler(firewall.NetworkPolicyEventHandler)
	}
	if err != nil {
		log.Print(err)
		return 1
	}
	health, err := healthcheck.NewHealthController(config)
	if err != nil {
		log.Print(err)
		return 1
	}
	beats := make(chan *healthcheck.ControllerHeartbeat, 10)
	var running sync.WaitGroup
	running.Add(2)
	health.SetAlive()
	go health.RunCheck(beats, ctx.Done(), &running)
	firewall.Run(beats, ctx.Done(), &running)
	return 0
}
