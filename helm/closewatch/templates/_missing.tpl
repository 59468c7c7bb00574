{{/* What a person has still to do, for NOTES.txt. */}}
{{- define "closewatch.missing" -}}
{{- $name := include "closewatch.fullname" . -}}
{{- $operator := include "closewatch.has" (list . "monitoring.coreos.com/v1") -}}
{{- $scrapes := include "closewatch.has" (list . "monitoring.coreos.com/v1alpha1") -}}
{{- $delivery := include "closewatch.delivery" . -}}
{{- if and (not .Values.existingConfigMap) (not .Values.config.targets) (not .Values.config.include) }}
  - Nothing is watched yet: put targets into config.targets.
{{- end }}
{{- if and (not .Values.existingSecret) (not .Values.extraEnv) (not .Values.extraVolumes) }}
  - No passwords are given: create a Secret and name it in existingSecret.
{{- end }}
{{- if and .Values.scrape.enabled (not $operator) }}
  - The cluster has no Prometheus operator (or helm couldn't see it: prometheusOperator.enabled=true). Add two jobs to
    your Prometheus:
      scrape_configs:
        - job_name: closewatch
          honor_labels: true
          scheme: {{ .Values.web.scheme }}
          static_configs: [{targets: ["{{ include "closewatch.host" . }}:{{ .Values.service.port }}"]}]
        - job_name: closewatch-targets
          honor_labels: true
          scheme: {{ .Values.web.scheme }}
          http_sd_configs: [{url: "{{ .Values.web.scheme }}://{{ include "closewatch.host" . }}:{{ .Values.service.port }}/sd"}]
{{- else if and .Values.scrape.enabled (not $scrapes) }}
  - The operator is too old for ScrapeConfig (before 0.65): scrape the targets by an additional scrape configuration.
{{- end }}
{{- if eq $delivery "configMap" }}
  - Mount ConfigMap {{ $name }}-rules into your Prometheus and add its files to rule_files.
{{- end }}
{{- if and $operator (not .Values.prometheusOperator.labels) (or .Values.scrape.enabled (eq $delivery "prometheusRule")) }}
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
