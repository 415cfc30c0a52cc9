"""GLSL shaders of the raster renderer. Colours are linear; images are stored with gamma 2, which is cheap."""

from __future__ import annotations

from posebot.synth.camera_effects import CONTRAST_PIVOT

_HEADER = f"#version 330\n#define CONTRAST_PIVOT {CONTRAST_PIVOT}\n"  # of the colour passes

_COLOR_VERTEX = """
uniform mat4 clip_from_world, world_from_mesh;
uniform mat3 world_from_normal;
uniform vec3 item_scale;
in vec3 in_position, in_normal, in_color;
in vec2 in_uv;
out vec3 position, normal, color, local, local_normal;
out vec2 uv;
#if AMBIENT_OCCLUSION
in vec2 in_ao;
out vec2 ao;
#endif
void main() {
    vec4 world = world_from_mesh * vec4(in_position, 1.0);
    position = world.xyz;
    normal = world_from_normal * in_normal;
    color = in_color;
    local = in_position * item_scale;
    local_normal = in_normal / item_scale;
    uv = in_uv;
#if AMBIENT_OCCLUSION
    ao = in_ao;
#endif
    gl_Position = clip_from_world * world;
}
"""


def color_vertex_shader(ambient_occlusion: bool) -> str:
    """The vertex shader of the colour pass, with or without ambient occlusion."""
    return f"#version 330\n#define AMBIENT_OCCLUSION {int(ambient_occlusion)}\n" + _COLOR_VERTEX


def color_fragment_shader(texture_mode: int, glossy: bool, ambient_occlusion: bool) -> str:
    """The fragment shader of the colour pass for one kind of material.

    Args:
        texture_mode: 0: none, 1: by uv, 2: triplanar projection, 3: projected, modulating the own colours.
        glossy: with specular reflection. ambient_occlusion: with ambient occlusion.

    Software OpenGL executes both sides of every branch: one shader for all materials would take twice as long.
    """
    defines = {"TEXTURE_MODE": texture_mode, "GLOSSY": int(glossy), "AMBIENT_OCCLUSION": int(ambient_occlusion)}
    lines = "".join(f"#define {name} {value}\n" for name, value in defines.items())
    return _HEADER + lines + _COLOR_FRAGMENT


# Cook-Torrance with GGX, Schlick's Fresnel and the visibility term of Karis, "Real Shading in Unreal Engine 4" (2013).
# Ambient occlusion (`ambient_occlusion.py`) with interreflection as in Jimenez et al., "Practical Realtime Strategies
# for Accurate Indirect Occlusion" (2016). The first light casts shadows; others are attenuated by ambient occlusion.
_COLOR_FRAGMENT = """
const int MAX_LIGHTS = 4;
uniform vec3 eye, base_color, sky, ground, gains;
uniform int light_count;
uniform float tiling, roughness, metallic, saturation, modulation, contrast, vignette, ao_strength;
uniform vec3 light_position[MAX_LIGHTS], light_color[MAX_LIGHTS];
uniform mat4 shadow_from_world;
uniform float shadow_blur;
uniform vec2 image_size;
uniform sampler2D base_texture, environment_map;
uniform sampler2DShadow shadow_map;
in vec3 position, normal, color, local, local_normal;
in vec2 uv;
#if AMBIENT_OCCLUSION
in vec2 ao;
#endif
out vec4 pixel;

vec3 linear(vec3 c) { return c * c; }

#if TEXTURE_MODE == 1
vec3 texture_color() { return linear(texture(base_texture, uv).rgb); }
#elif TEXTURE_MODE >= 2
vec3 texture_color() {
    vec3 weight = abs(local_normal);
    vec3 at = local * tiling;
    vec2 place = weight.z >= max(weight.x, weight.y) ? at.xy : (weight.x >= weight.y ? at.yz : at.xz);
    return linear(texture(base_texture, place).rgb);
}
#endif

float shadow(vec3 n) {
    vec4 p = shadow_from_world * vec4(position + n * 0.004, 1.0);
    vec3 coord = p.xyz / p.w * 0.5 + 0.5;
    coord.z -= 0.0004;
    if (p.w <= 0.0 || any(lessThan(coord.xy, vec2(0.0))) || any(greaterThan(coord.xy, vec2(1.0)))) return 1.0;
    vec3 side = vec3(shadow_blur, shadow_blur * 0.4, 0.0);
    return 0.5 * (texture(shadow_map, coord + side) + texture(shadow_map, coord - side));
}

float fifth(float x) { float x2 = x * x; return x2 * x2 * x; }

vec3 environment_color(vec3 d, float lod) {
    vec2 at = d.xy / (1.0 + abs(d.z)) * 0.5 + 0.5;
    return linear(textureLod(environment_map, d.z < 0.0 ? at.yx : at, lod).rgb);
}

void main() {
    vec3 base = color;
#if TEXTURE_MODE == 3
    base *= mix(1.0, min(4.0 * dot(texture_color(), vec3(0.33)), 3.0), modulation);
#elif TEXTURE_MODE > 0
    base *= texture_color();
#endif
    base = base_color * max(mix(vec3(dot(base, vec3(0.33))), base, saturation), 0.0);
    vec3 v = normalize(eye - position);
    vec3 n = normalize(normal);
    float nv = dot(n, v);
    float ao_factor = 1.0;
#if AMBIENT_OCCLUSION
    ao_factor = pow(nv < 0.0 ? ao.y : ao.x, ao_strength);
#endif
    if (nv < 0.0) { n = -n; nv = -nv; }
    nv = max(nv, 0.02);
    vec3 f0 = mix(vec3(0.04), base, metallic);
    vec3 diffuse = base * (1.0 - metallic);
    float a = roughness * roughness, a2 = a * a, k = a * 0.5;
    vec3 indirect = ao_factor / (1.0 - clamp(diffuse, 0.0, 0.95) * (1.0 - ao_factor));
    vec3 sum = diffuse * mix(ground, sky, n.z * 0.5 + 0.5) * indirect;
#if GLOSSY
    vec3 fresnel = f0 + (max(vec3(1.0 - roughness), f0) - f0) * fifth(1.0 - nv);
    sum += fresnel * environment_color(reflect(-v, n), roughness * 7.0) * (sky + ground) * 1.5 * ao_factor;
#endif
    for (int i = 0; i < light_count; ++i) {
        vec3 l = normalize(light_position[i] - position);
        float nl = max(dot(n, l), 0.0);
        vec3 reflected = diffuse;
#if GLOSSY
        vec3 h = normalize(l + v);
        float nh = dot(n, h), d = nh * nh * (a2 - 1.0) + 1.0;
        float specular = a2 / (4.0 * d * d * (nv * (1.0 - k) + k) * (nl * (1.0 - k) + k));
        reflected += (f0 + (1.0 - f0) * fifth(1.0 - max(dot(h, v), 0.0))) * min(specular, 40.0);
#endif
        sum += reflected * light_color[i] * nl * (i == 0 ? vec3(shadow(n)) : indirect);
    }
    vec2 off = gl_FragCoord.xy / image_size - 0.5;
    sum *= gains * (1.0 - vignette * dot(off, off) * 2.0);
    sum = sum / (1.0 + 0.18 * sum) * 1.1;
    pixel = vec4(clamp((sqrt(sum) - CONTRAST_PIVOT) * contrast + CONTRAST_PIVOT, 0.0, 1.0), 1.0);
}
"""

BACKGROUND_VERTEX = """
#version 330
uniform vec4 window;
out vec2 uv;
void main() {
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    uv = mix(window.xy, window.zw, corner);
    gl_Position = vec4(corner * 2.0 - 1.0, 1.0, 1.0);
}
"""

BACKGROUND_FRAGMENT = _HEADER + """
uniform sampler2D background;
uniform vec3 gains;
uniform float contrast;
in vec2 uv;
out vec4 pixel;
void main() {
    vec3 c = texture(background, uv).rgb;
    pixel = vec4(clamp((sqrt(c * c * gains) - CONTRAST_PIVOT) * contrast + CONTRAST_PIVOT, 0.0, 1.0), 1.0);
}
"""

LABEL_VERTEX = """
#version 330
uniform mat4 cam_from_mesh, clip_from_cam;
in vec3 in_position;
out float z;
void main() {
    vec4 cam = cam_from_mesh * vec4(in_position, 1.0);
    z = cam.z;
    gl_Position = clip_from_cam * cam;
}
"""

LABEL_FRAGMENT = """
#version 330
uniform float item_index;
in float z;
layout(location = 0) out vec2 label;
void main() { label = vec2(z, item_index); }
"""

SHADOW_VERTEX = """
#version 330
uniform mat4 shadow_from_mesh;
in vec3 in_position;
void main() { gl_Position = shadow_from_mesh * vec4(in_position, 1.0); }
"""

SHADOW_FRAGMENT = """
#version 330
void main() {}
"""
