{{/* What a person has still to do, for NOTES.txt. */}}
{{- define "closewatch.missing" -}}
{{- $name := include "closewatch.fullname" . -}}
{{- $parts := include "closewatch.parts" . | fromJsonArray -}}
{{- $operator := include "closewatch.has" (list . "monitoring.coreos.com/v1") -}}
{{- $scrapes := include "closewatch.has" (list . "monitoring.coreos.com/v1alpha1") -}}
{{- $by := include "closewatch.scrapedBy" . -}}
{{- $delivery := include "closewatch.delivery" . -}}
{{- if and (not .Values.existingConfigMap) (not .Values.config.targets) (not .Values.config.include) }}
  - Nothing is watched yet: put targets into config.targets.
{{- end }}
{{- with (default dict .Values.config).records }}
{{- if not .signing_key }}
  - Nobody signs the records: without config.records.signing_key whoever can write them can make them up.
{{- else if not .copies }}
  - The signed heads are in the records' volume alone: say in config.records.copies where else.
{{- end }}
{{- end }}
{{- range $part := $parts }}
{{- $mounts := concat $.Values.mounts (default list $part.settings.mounts) }}
{{- range $plan := include "closewatch.plans" (list $ $part) | fromJsonArray }}
{{- range $path := regexFindAll "\"(path|wal|folder|file|identity|bundle)\":\"/[^\"]*" (toRawJson $plan) -1 }}
{{- $path = regexFind "/[^\"]*$" $path }}
{{- $mounted := hasPrefix "/run/secrets/closewatch/" $path }}
{{- range $mount := concat $mounts (default list $.Values.extraVolumeMounts) }}
{{- if hasPrefix (printf "%s/" (default $mount.mountPath $mount.path)) (printf "%s/" $path) }}{{- $mounted = true }}{{- end }}
{{- end }}
{{- if not $mounted }}
  - {{ $plan.name }} reads {{ $path }}, which nothing mounts: see `mounts`.
{{- end }}
{{- end }}
{{- if (default dict $plan.origin).volume_snapshot }}
  - {{ $plan.name }} is a volume snapshot: it can't be tested, and its record will say so each time.
{{- end }}
{{- end }}
{{- $senders := include "closewatch.senders" (list $ $part) | fromJsonArray }}
{{- if and $senders (not (include "closewatch.receiver" (list $ $part))) }}
  - Nothing takes what is sent by {{ join ", " $senders }}: without receiver.enabled say `notifications: false` there, or each
    critical alert counts as told to nobody.
{{- end }}
{{- $asks := include "closewatch.asks" (list $ $part) | fromJson }}
{{- if and (not (include "closewatch.partSecret" (list $ $part))) (not $.Values.extraEnv) (not $part.settings.extraEnv) (not $.Values.extraVolumes) (ne $part.concern "certificates") }}
  - No passwords are given{{ with $part.concern }} to {{ . }}{{ end }}: create a Secret and name it in {{ with $part.concern }}concerns.{{ . }}.{{ end }}existingSecret.
{{- end }}
{{- range $target := $part.targets }}
{{- if $target.pgbackrest }}
  - {{ $target.name }} asks pgBackRest, which is not in the image: run closewatch for it on the repository's host, by systemd.
{{- end }}
{{- $everywhere := false }}
{{- range $each := ternary $target.secrets list (and (hasKey $target "kubernetes") (kindIs "slice" $target.secrets)) }}{{- if not $each.namespace }}{{- $everywhere = true }}{{- end }}{{- end }}
{{- if and $everywhere (not (default dict $target.kubernetes).kubeconfig) }}
  - {{ $target.name }} asks for the TLS secrets of all namespaces, and the chart grants nothing for a whole cluster: name
    each namespace under `secrets`, or bind a ClusterRole of yours to ServiceAccount {{ include "closewatch.partServiceAccount" (list $ $part) }}.
{{- end }}
{{- end }}
{{- if and (not $.Values.rbac.create) $asks.namespaces }}
  - Rights in the Kubernetes API, which rbac.create=false leaves to you, for ServiceAccount {{ include "closewatch.partServiceAccount" (list $ $part) }}:
    {{- range $namespace := $asks.namespaces }}
    {{- range $rule := include "closewatch.rights" (list $asks $namespace) | fromYamlArray }}
      {{ $namespace }}: {{ first $rule.verbs }} {{ range $i, $resource := $rule.resources }}{{ if $i }}, {{ end }}{{ list $resource (first $rule.apiGroups) | compact | join "." }}{{ end }}{{ with $rule.resourceNames }} {{ join ", " . }}{{ end }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}
{{- $sending := include "closewatch.sending" . | fromJsonArray }}
{{- if and $sending (not .Values.receiver.web.existingSecret) }}
  - The receiver asks for no login: whoever networkPolicy.alertmanager lets in can make up notifications. See
    receiver.web.existingSecret.
{{- end }}
{{- if and .Values.alerting.enabled .Values.alerting.routing }}
{{- range $sending }}
{{- if not (and $.Values.alertmanagerConfig.enabled (eq . (include "closewatch.recordsTarget" $))) }}
  - {{ . }} must send to {{ include "closewatch.receiverUrl" (list $ .) }} as well. How:
      kubectl --namespace {{ $.Release.Namespace }} get configmap {{ $name }}-routing -o jsonpath='{.data.records-fragment-{{ replace "." "\\." . }}\.yml}'
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq $by "operator") (not $operator) }}
  - The cluster has no Prometheus operator (or helm couldn't see it: prometheusOperator.enabled=true). Add two jobs to
    your Prometheus:
      scrape_configs:
        - job_name: closewatch
          honor_labels: true
          scheme: {{ .Values.web.scheme }}
          static_configs:
            {{- range $part := $parts }}
            - targets: ["{{ include "closewatch.url" (list $ $part) | trimPrefix (printf "%s://" $.Values.web.scheme) }}"]
            {{- end }}
        - job_name: closewatch-targets
          honor_labels: true
          scheme: {{ .Values.web.scheme }}
          http_sd_configs:
            {{- range $part := $parts }}
            - url: "{{ include "closewatch.url" (list $ $part) }}/sd"
            {{- end }}
{{- else if and (eq $by "operator") (not $scrapes) }}
  - The operator is too old for ScrapeConfig (before 0.65): scrape the targets by an additional scrape configuration.
{{- else if eq $by "annotations" }}
  - Found by annotations, the targets have no `up` and no job of their own: of several exporters one may be down unseen
    (ClosewatchExporterDown knows the jobs closewatch and closewatch-targets), and at most 20 targets are answered for.
    Your Prometheus' job must have honor_labels: true; the one of the Prometheus community's chart has it.
{{- end }}
{{- if eq $delivery "configMap" }}
  - Mount ConfigMap {{ $name }}-rules into your Prometheus and add its files to rule_files.
{{- end }}
{{- if and $operator (not .Values.prometheusOperator.labels) (or (eq $by "operator") (eq $delivery "prometheusRule")) }}
  - kube-prometheus-stack takes only what carries its label. If yours does, set
    prometheusOperator.labels.release to the name of its release.
{{- end }}
{{- if and .Values.alerting.enabled (eq .Values.alerting.mode "observe") }}
  - OBSERVE MODE: every alert carries closewatch_mode="observe". An Alertmanager that doesn't know this label sends them
    like any other. Put this first among its routes now, with a receiver that sends nothing:
      - matchers: ['closewatch_mode="observe"']
        receiver: "null"
    When the alerts have earned your trust: alerting.mode=notify.
{{- end }}
{{- end }}

{{/* What an AlertmanagerConfig can't do, whatever it says. */}}
{{- define "closewatch.reduced" }}
  - AlertmanagerConfig can do less than the routing fragment, and you should know it:
      - each alert goes on to your own routes too, as the operator adds `continue: true`: a catch-all of yours is told a
        second time, and in observe mode is told what should go nowhere
      - it is seen only where your Alertmanager selects it (alertmanagerConfigSelector, alertmanagerConfigNamespaceSelector)
      - with the operator's default, its routes and inhibit rules hold for alerts with
        namespace="{{ .Release.Namespace }}" alone: {{ if eq .Values.alertmanagerConfig.matcherStrategy "OnNamespace" }}so the rules add this label{{ else }}matcherStrategy says that yours is None{{ end }}; alerts
        of others with the same namespace label that carry closewatch's labels are not told apart
      - your own rule "critical hides warning" must still be narrowed by hand: one tenant's critical alert hides
        another's warning, as both have the same namespace or none. See the ConfigMap {{ include "closewatch.fullname" . }}-routing, point 3
      - closewatch's message templates are not part of it: the texts are those that the receivers here have
{{- end }}
