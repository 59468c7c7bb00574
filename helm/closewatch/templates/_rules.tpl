{{/*
The rule files are the ones that any Prometheus loads, taken over as they are: what is in them is never a template.
Values change them only as data: marked in observe mode, with the addresses of this installation, and by alert.
*/}}

{{/* A file of this chart with the addresses of this installation. Call with (list $ "rules/x.yml"). */}}
{{- define "closewatch.addressed" -}}
{{- $root := index . 0 -}}
{{- $text := $root.Files.Get (index . 1) -}}
{{- if not $text -}}
{{- fail (printf "%s is missing or empty: was the chart copied without following its links?" (index . 1)) -}}
{{- end -}}
{{- with $root.Values.alerting.runbookBase -}}
{{- $text = replace "https://docs.closewatch.example/runbooks" (trimSuffix "/" .) $text -}}
{{- end -}}
{{- with $root.Values.alerting.grafanaBase -}}
{{- $text = replace "https://docs.closewatch.example/grafana" (trimSuffix "/" .) $text -}}
{{- end -}}
{{- $text -}}
{{- end }}

{{/* A rule file as data. fromYaml hides what is wrong under the key Error: it must not be installed as a rule file. */}}
{{- define "closewatch.parsed" -}}
{{- $file := include "closewatch.addressed" . | fromYaml -}}
{{- if or (hasKey $file "Error") (not $file.groups) -}}
{{- fail (printf "%s is not a rule file: %s" (index . 1) (default "it has no groups" $file.Error)) -}}
{{- end -}}
{{- toYaml $file -}}
{{- end }}

{{/* The rules of a file as they are installed, or nothing. Call with (list $ "rules/x.yml"). */}}
{{- define "closewatch.rules" -}}
{{- $root := index . 0 -}}
{{- $alerting := $root.Values.alerting -}}
{{- $common := merge dict $alerting.labels -}}
{{- if and $root.Values.alertmanagerConfig.enabled (eq $root.Values.alertmanagerConfig.matcherStrategy "OnNamespace") -}}
  {{- $_ := set $common "namespace" $root.Release.Namespace -}}
{{- end -}}
{{- $groups := list -}}
{{- range $group := (include "closewatch.parsed" . | fromYaml).groups -}}
  {{- if not (has $group.name $alerting.skipGroups) -}}
    {{- $rules := list -}}
    {{- range $rule := $group.rules -}}
      {{- $enabled := true -}}
      {{- if $rule.alert -}}
        {{- $_ := set $rule "labels" (merge dict $rule.labels $common) -}}
        {{- range $key := list $rule.alert (printf "%s/%s" $rule.alert $rule.labels.severity) -}}
          {{- $change := default dict (get $alerting.overrides $key) -}}
          {{- if hasKey $change "enabled" -}}{{- $enabled = $change.enabled -}}{{- end -}}
          {{- range $name, $value := dict "for" $change.for "keep_firing_for" $change.keepFiringFor -}}
            {{- if $value -}}{{- $_ := set $rule $name $value -}}{{- end -}}
          {{- end -}}
          {{- $_ := set $rule "labels" (merge dict (default dict $change.labels) $rule.labels) -}}
          {{- if $change.severity -}}{{- $_ := set $rule "newSeverity" $change.severity -}}{{- end -}}
        {{- end -}}
        {{- if $rule.newSeverity -}}
          {{- $_ := set $rule.labels "severity" $rule.newSeverity -}}
          {{- $_ := unset $rule "newSeverity" -}}
        {{- end -}}
        {{- if eq $alerting.mode "observe" -}}{{- $_ := set $rule.labels "closewatch_mode" "observe" -}}{{- end -}}
      {{- end -}}
      {{- if $enabled -}}{{- $rules = append $rules $rule -}}{{- end -}}
    {{- end -}}
    {{- if $rules -}}{{- $groups = append $groups (set $group "rules" $rules) -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- if $groups -}}
groups:
  {{- toYaml $groups | nindent 2 }}
{{- end -}}
{{- end }}

{{/* A name that means nothing would leave people believing that an alert was changed. */}}
{{- define "closewatch.checkRules" -}}
{{- $known := list -}}
{{- $names := list -}}
{{- range $path, $_ := .Files.Glob "rules/*.yml" -}}
  {{- range $group := (include "closewatch.parsed" (list $ $path) | fromYaml).groups -}}
    {{- $names = append $names $group.name -}}
    {{- range $rule := $group.rules -}}
      {{- if $rule.alert -}}
        {{- $known = concat $known (list $rule.alert (printf "%s/%s" $rule.alert $rule.labels.severity)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if not $names -}}{{- fail "there are no rule files: was the chart copied without following its links?" -}}{{- end -}}
{{- range $key, $_ := .Values.alerting.overrides -}}
  {{- if not (has $key $known) -}}{{- fail (printf "alerting.overrides: there is no alert %s" $key) -}}{{- end -}}
{{- end -}}
{{- range $name := .Values.alerting.skipGroups -}}
  {{- if not (has $name $names) -}}{{- fail (printf "alerting.skipGroups: there is no group %s" $name) -}}{{- end -}}
{{- end -}}
{{- end }}
