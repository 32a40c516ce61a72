"""What the base says, read as the cluster would read it."""

import pytest
import yaml

from rendered import (ROOT, SERVICES, all_of, container_of, dockerfile_stages, environment, help_of, labels_match,
                      one, pod_of, rendered, seconds)

PUBLIC = ("gateway", "agent-bridge")
each_service = pytest.mark.parametrize("service", SERVICES)
each_public = pytest.mark.parametrize("service", PUBLIC)


def workloads():
    return [*all_of("Deployment").values(), *all_of("Job").values()]


def test_the_base_holds_exactly_what_it_should():
    assert set(all_of("Deployment")) == set(SERVICES)
    assert set(all_of("Service")) == set(PUBLIC)
    assert set(all_of("HorizontalPodAutoscaler")) == set(SERVICES)
    assert set(all_of("PodDisruptionBudget")) == set(SERVICES)
    assert set(all_of("Job")) == {"state-sync-migrate"}
    assert not all_of("Secret"), "no secret may be part of the base"


@each_service
def test_a_deployment_selects_its_own_pods_and_no_others(service):
    deployment = one("Deployment", service)
    selector = deployment["spec"]["selector"]["matchLabels"]
    matching = [w["metadata"]["name"] for w in workloads()
                if labels_match(selector, w["spec"]["template"]["metadata"]["labels"])]
    assert matching == [service]


@each_public
def test_a_service_selects_the_pods_of_its_name_and_a_port_they_have(service):
    document = one("Service", service)
    matching = [w["metadata"]["name"] for w in workloads()
                if labels_match(document["spec"]["selector"], w["spec"]["template"]["metadata"]["labels"])]
    assert matching == [service]
    ports = {port["name"]: port["containerPort"] for port in container_of(one("Deployment", service))["ports"]}
    (port,) = document["spec"]["ports"]
    assert port["targetPort"] in ports
    assert ports[port["targetPort"]] == {"gateway": 8080, "agent-bridge": 8081}[service]


@each_service
def test_a_budget_protects_the_pods_and_lets_nodes_drain(service):
    budget = one("PodDisruptionBudget", service)["spec"]
    labels = one("Deployment", service)["spec"]["template"]["metadata"]["labels"]
    assert labels_match(budget["selector"]["matchLabels"], labels)
    assert budget["maxUnavailable"] == 1


@each_service
def test_an_autoscaler_owns_the_number_of_replicas(service):
    scaler = one("HorizontalPodAutoscaler", service)["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": service}
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert "replicas" not in one("Deployment", service)["spec"]
    requests = container_of(one("Deployment", service))["resources"]["requests"]
    for metric in scaler["metrics"]:
        assert metric["resource"]["name"] in requests, "a utilization is a share of the request"


@each_service
def test_probes_go_to_the_operations_port(service):
    container = container_of(one("Deployment", service))
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["ops"] == {"gateway": 9080, "agent-bridge": 9081, "state-sync": 9082}[service]
    assert f"{ports['ops']}" in help_of(service), "the port the binary takes by itself"
    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for probe, path in paths.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "ops"}
    annotations = one("Deployment", service)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["ops"])


@each_service
def test_the_times_of_an_end_add_up(service):
    deployment = one("Deployment", service)
    container = container_of(deployment)
    drain = seconds(environment(deployment)["THROUGHLINE_DRAIN_TIMEOUT"])
    hook = container.get("lifecycle", {}).get("preStop")
    before = float(hook["exec"]["command"][1]) if hook else 0
    assert pod_of(deployment)["terminationGracePeriodSeconds"] >= before + drain + 5
    if service in PUBLIC:
        readiness = container["readinessProbe"]
        assert before >= 5, "time for the endpoint to leave the load balancers"
        assert readiness["periodSeconds"] * readiness["failureThreshold"] <= 10


@each_service
def test_every_setting_is_one_that_the_binary_knows(service):
    given = environment(one("Deployment", service))
    assert given["THROUGHLINE_NATS_URL"]
    for name in given:
        assert name in help_of(service), f"{service} has no {name}"


def test_what_has_no_default_is_given():
    assert environment(one("Deployment", "gateway"))["THROUGHLINE_JWT_HS256_SECRET"].startswith("secret:")
    assert environment(one("Deployment", "state-sync"))["THROUGHLINE_DATABASE_URL"].startswith("secret:")
    assert environment(one("Job", "state-sync-migrate"))["THROUGHLINE_DATABASE_URL"].startswith("secret:")


def test_secrets_are_those_of_the_example():
    example = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "secrets.example.yaml").read_text())
    known = {f"secret:{example['metadata']['name']}/{key}" for key in example["stringData"]}
    used = {value for w in workloads() for value in environment(w).values() if value.startswith("secret:")}
    assert used == known


def test_images_are_targets_of_the_dockerfile():
    stages = dockerfile_stages()
    for workload in workloads():
        name, _, tag = container_of(workload)["image"].partition(":")
        assert name.startswith("throughline/") and tag not in ("", "latest")
        assert name.removeprefix("throughline/") in stages
    job = container_of(one("Job", "state-sync-migrate"))
    assert job["image"] == container_of(one("Deployment", "state-sync"))["image"]
    assert job["args"] == ["migrate"]


@each_service
def test_an_image_runs_its_binary_as_a_user_without_rights(service):
    stage = dict(dockerfile_stages()[service])
    assert stage["FROM"].startswith("runtime ")
    assert stage["ENTRYPOINT"] == f'["/usr/local/bin/{service}"]'
    user = pod_of(one("Deployment", service))["securityContext"]["runAsUser"]
    assert stage["USER"] == f"{user}:{user}" and user > 0
    exposed = {int(port) for port in stage["EXPOSE"].split()}
    assert exposed == {port["containerPort"] for port in container_of(one("Deployment", service))["ports"]}


def test_no_container_has_rights_or_an_unbounded_appetite():
    for workload in [*workloads(), *all_of("StatefulSet", "with-nats").values()]:
        pod, container = pod_of(workload), container_of(workload)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


def test_the_ingress_sends_agents_to_the_bridge_and_the_rest_to_the_gateway():
    ingress = one("Ingress", "throughline")
    routes = {}
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            service = path["backend"]["service"]
            routes[path["path"], path["pathType"]] = service["name"]
            assert service["port"]["name"] in [p["name"] for p in one("Service", service["name"])["spec"]["ports"]]
    assert routes == {("/api/v1/external-agents/sync", "Exact"): "agent-bridge", ("/", "Prefix"): "gateway"}
    annotations = ingress["metadata"]["annotations"]
    for direction in ("read", "send"):
        limit = int(annotations[f"nginx.ingress.kubernetes.io/proxy-{direction}-timeout"])
        assert limit > 45, "longer than a socket may be silent"


def test_with_nats_is_the_base_and_a_server_where_the_base_looks_for_it():
    names = {(d["kind"], d["metadata"]["name"]) for d in rendered("base")}
    added = {(d["kind"], d["metadata"]["name"]) for d in rendered("with-nats")} - names
    assert added == {("StatefulSet", "nats"), ("Service", "nats")}
    url = environment(one("Deployment", "gateway"))["THROUGHLINE_NATS_URL"]
    (port,) = one("Service", "nats", "with-nats")["spec"]["ports"]
    assert url == f"nats://nats:{port['port']}"
    server = one("StatefulSet", "nats", "with-nats")
    selector = one("Service", "nats", "with-nats")["spec"]["selector"]
    assert labels_match(selector, server["spec"]["template"]["metadata"]["labels"])
