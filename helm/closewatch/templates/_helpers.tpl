{{/* The short name of what is installed. */}}
{{- define "closewatch.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The name that everything of this release begins with: two releases in one namespace don't meet. */}}
{{- define "closewatch.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "closewatch.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "closewatch.selectorLabels" -}}
app.kubernetes.io/name: {{ include "closewatch.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "closewatch.labels" -}}
{{- $labels := include "closewatch.selectorLabels" . | fromYaml -}}
{{- $more := dict
      "app.kubernetes.io/version" .Chart.AppVersion
      "app.kubernetes.io/managed-by" .Release.Service
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $labels $more .Values.commonLabels) -}}
{{- end }}

{{/* Labels of what the Prometheus operator reads: with those by which the stack's Prometheus selects. */}}
{{- define "closewatch.operatorLabels" -}}
{{- toYaml (merge (include "closewatch.labels" . | fromYaml) .Values.prometheusOperator.labels) -}}
{{- end }}

{{- define "closewatch.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}

{{/* Where a part's Service answers. Call with (list $ $part). */}}
{{- define "closewatch.url" -}}
{{- $root := index . 0 -}}
{{- printf "%s://%s.%s.svc:%v" $root.Values.web.scheme (index . 1).name $root.Release.Namespace $root.Values.service.port -}}
{{- end }}

{{/* A probe of what listens as `web` says. Call with (list $web "/-/healthy"). */}}
{{- define "closewatch.probe" -}}
{{- $web := index . 0 -}}
{{- if eq $web.probes "tcp" -}}
tcpSocket:
  port: web
{{- else -}}
httpGet:
  path: {{ index . 1 }}
  port: web
  scheme: {{ upper $web.scheme }}
{{- end }}
periodSeconds: 10
timeoutSeconds: 3
{{- end }}

{{/* Who finds closewatch: operator, annotations, or nobody. */}}
{{- define "closewatch.scrapedBy" -}}
{{- if .Values.scrape.annotations -}}
annotations
{{- else if .Values.scrape.enabled -}}
operator
{{- end -}}
{{- end }}

{{/* "true" where an API of the Prometheus operator is there, or said to be. Call with (list $ "monitoring.coreos.com/v1"). */}}
{{- define "closewatch.has" -}}
{{- $root := index . 0 -}}
{{- $wanted := toString $root.Values.prometheusOperator.enabled -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") ($root.Capabilities.APIVersions.Has (index . 1))) -}}
true
{{- end -}}
{{- end }}

{{/* How the rules reach Prometheus: prometheusRule, configMap, or nothing. */}}
{{- define "closewatch.delivery" -}}
{{- if .Values.alerting.enabled -}}
{{- if ne .Values.alerting.delivery "auto" -}}
{{- .Values.alerting.delivery -}}
{{- else if include "closewatch.has" (list . "monitoring.coreos.com/v1") -}}
prometheusRule
{{- else -}}
configMap
{{- end -}}
{{- end -}}
{{- end }}

{{/* How Prometheus talks to closewatch. */}}
{{- define "closewatch.access" -}}
scheme: {{ .Values.web.scheme }}
{{- range $key := list "tlsConfig" "basicAuth" "authorization" }}
{{- with index $.Values.scrape $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* A scrape may take as long as the time between two, not longer: Prometheus refuses that. */}}
{{- define "closewatch.checkScrape" -}}
{{- if gt (trimSuffix "s" .Values.scrape.timeout | int) (trimSuffix "s" .Values.scrape.interval | int) -}}
{{- fail (printf "scrape.timeout %s is longer than scrape.interval %s" .Values.scrape.timeout .Values.scrape.interval) -}}
{{- end -}}
{{- end }}
