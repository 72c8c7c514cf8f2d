using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client;

/// <summary>
/// JSON of types without source-generated metadata: camelCase, read regardless of case, as in ASP.NET Core. Not for programs that are
/// trimmed or compiled ahead of time.
/// </summary>
internal static class ReflectedJson
{
    public const string Limit = "The JSON of the type is made by reflection: use the overload with JsonTypeInfo in trimmed programs.";

    [RequiresUnreferencedCode(Limit)]
    [RequiresDynamicCode(Limit)]
    public static JsonTypeInfo<T> Of<T>() => (JsonTypeInfo<T>)JsonSerializerOptions.Web.GetTypeInfo(typeof(T));
}
