{{/* Reads registration.yaml, merges .Values.gateway over it by key, and returns it with all defaults,
and with `callers`: those of callers.yaml and of .Values.networkPolicy.
It rejects what an HTTPRoute cannot enforce, so that a route protected on another gateway is not open
here. It ignores only `retry` and `health`, which are settings of the gateway, and `uses`, which declares
no access. */}}
{{- define "registration" -}}
{{- $document := .Files.Get "registration.yaml" | fromYaml }}
{{- with $document.Error }}{{ include "registration.refuse" (list "" .) }}{{ end }}
{{- range $key := list "routes" "upstream" }}
{{- if not (kindIs "map" (get $document $key | default dict)) }}{{ include "registration.refuse" (list $key "must be a map") }}{{ end }}
{{- end }}
{{- $all := mustMergeOverwrite $document (pick .Values.gateway "routes" "upstream" | deepCopy) }}
{{- $all = mustMerge $all (dict "calls" list "routes" dict "upstream" (dict "port" 8080 "protocol" "http")) }}
{{- include "registration.keys" (list "" $all "apiVersion calls routes service upstream uses") }}
{{- include "registration.keys" (list "upstream" $all.upstream "health port protocol") }}
{{- include "registration.values" (list ""
  (list "apiVersion" $all.apiVersion "svcgen.dev/v1" "svcgen.dev/v1")
  (list "service" $all.service .Chart.Name (print "the chart's name, " .Chart.Name))
  (list "calls" (toJson $all.calls) "\\[(\"[a-z][-a-z0-9]*\",?)*\\]" "a list of service names")
  (list "upstream.port" $all.upstream.port "[1-9][0-9]{0,4}" "a port")
  (list "upstream.protocol" $all.upstream.protocol "http" "http: the chart supports no other protocol")) }}
{{- range $name, $route := $all.routes }}
{{- include "registration.route" (list (print "routes." $name) $name $route) }}
{{- end }}
{{- include "registration.internal" $all.routes }}
{{- range $name := keys .Values.calls | sortAlpha }}
{{- if not (has $name $all.calls) }}{{ include "registration.refuse" (list "calls" (print "lacks " $name ", which .Values.calls has a URL for")) }}{{ end }}
{{- end }}
{{- $file := .Files.Get "callers.yaml" | fromYaml }}
{{- if not (regexMatch "^{(\"callers\":\\[(\"[a-z][-a-z0-9]*\",?)*\\])?}$" (toJson $file)) }}
{{- fail "callers.yaml must be a list of service names, such as callers: [catalog]" }}
{{- end }}
{{- $callers := concat ($file.callers | default list) (.Values.networkPolicy.callers | default list) }}
{{- toYaml (set $all "callers" (uniq $callers | sortAlpha)) }}
{{- end }}

{{/* Checks one route and adds the fields of an HTTPRoute: match, path, methods, timeout. */}}
{{- define "registration.route" -}}
{{- $where := index . 0 }}{{ $name := index . 1 }}{{ $route := index . 2 }}
{{- include "registration.keys" (list $where $route "auth exact expose methods path retry timeout") }}
{{- if eq (hasKey $route "path") (hasKey $route "exact") }}{{ include "registration.refuse" (list $where "needs path or exact, but not both") }}{{ end }}
{{- $exact := hasKey $route "exact" }}
{{- $path := ternary $route.exact $route.path $exact | toString }}
{{- $shown := ternary (print $path ", which the gateway serves itself") $path (regexMatch "^/(readyz|openapi[.]json|docs)(/|$)" $path) }}
{{- $segments := "(/([.]{3}|;|[.]{0,2}[-A-Za-z0-9_~!$&'()*+,=:@])[-A-Za-z0-9._~!$&'()*+,;=:@]*)+" }}
{{- $methods := ternary $route.methods (list "GET") (hasKey $route "methods") }}
{{- $timeout := default "10s" $route.timeout }}
{{- include "registration.values" (list (print $where ".")
  (list "name" $name "[a-z]([-a-z0-9]{0,38}[a-z0-9])?" "lower-case letters, digits and dashes")
  (list "auth" $route.auth "none" "none: the chart cannot enforce any other")
  (list "expose" (default "gateway" $route.expose) "gateway|internal" "gateway or internal")
  (list (ternary "exact" "path" $exact) $shown (print $segments (ternary "/?" "" $exact)) "a path like /v1/orders")
  (list "methods" (toJson $methods) "\\[(\"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\",?)+\\]" "a list of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
  (list "timeout" $timeout ".*[1-9].*" "longer than 0")
  (list "timeout" $timeout "([0-9]{1,5}(h|m|s|ms)){1,4}" "integers with units, such as 5s or 1m30s")) }}
{{- if has "GET" $methods }}{{ $methods = append $methods "HEAD" }}{{ end }}
{{- $methods = ternary (append $methods "OPTIONS" | uniq) (list "") (hasKey $route "methods") }}
{{- $match := ternary "Exact" "PathPrefix" $exact }}
{{- $_ := mergeOverwrite $route (dict "match" $match "path" $path "methods" $methods "timeout" $timeout "expose" (default "gateway" $route.expose)) }}
{{- end }}

{{/* Rejects an internal route that an exposed one covers. HTTPRoute has no core filter that answers
404, so the path would be open. */}}
{{- define "registration.internal" -}}
{{- range $name, $route := . }}
{{- if eq $route.expose "internal" }}
{{- range $other, $exposed := $ }}
{{- $prefix := and (eq $exposed.match "PathPrefix") (hasPrefix (print $exposed.path "/") (print $route.path "/")) }}
{{- $all := or (has "" $route.methods) (has "" $exposed.methods) }}
{{- range $method := $route.methods }}{{ $all = or $all (and (ne $method "OPTIONS") (has $method $exposed.methods)) }}{{ end }}
{{- if and $all (ne $exposed.expose "internal") (or $prefix (and (eq $exposed.path $route.path) (eq $exposed.match $route.match))) }}
{{- include "registration.refuse" (list (print "routes." $name) (printf "is internal, but routes.%s exposes %s: move it out of that path" $other $route.path)) }}
{{- end }}{{ end }}{{ end }}{{ end }}
{{- end }}

{{/* Checks that a map has only known keys. */}}
{{- define "registration.keys" -}}
{{- $where := index . 0 }}{{ $map := index . 1 }}{{ $known := splitList " " (index . 2) }}
{{- if not (kindIs "map" $map) }}{{ include "registration.refuse" (list $where "must be a map") }}{{ end }}
{{- range $key := keys $map | sortAlpha }}
{{- if not (has $key $known) }}{{ include "registration.refuse" (list $where (printf "has %s, which the chart cannot enforce; known keys are %s" $key (join ", " $known))) }}{{ end }}
{{- end }}
{{- end }}

{{/* Checks rows of field, value, pattern of the whole value, and description of the pattern. */}}
{{- define "registration.values" -}}
{{- $where := first . }}
{{- range rest . }}
{{- $value := index . 1 | toString }}
{{- if not (regexMatch (printf "^(%s)$" (index . 2)) $value) }}{{ include "registration.refuse" (list (print $where (index . 0)) (printf "must be %s, not %s" (index . 3) $value)) }}{{ end }}
{{- end }}
{{- end }}

{{- define "registration.refuse" -}}
{{- fail (printf "registration.yaml merged with .Values.gateway: %s %s" (index . 0) (index . 1)) }}
{{- end }}
