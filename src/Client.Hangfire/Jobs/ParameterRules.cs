using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.Serialization;
using Hangfire;
using Hangfire.Server;
using Newtonsoft.Json;

namespace TaskQueue.Client;

/// <summary>
/// Types that arguments may have: values, known collections, and plain classes of the application whose members are such again. A
/// payload can then only create what the signature of the method names.
/// </summary>
internal sealed class ParameterRules(IReadOnlyList<JsonConverter> converters)
{
    private const BindingFlags Members = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly HashSet<Type> Values =
    [
        typeof(string), typeof(decimal), typeof(DateTime), typeof(DateTimeOffset), typeof(TimeSpan), typeof(DateOnly), typeof(TimeOnly),
        typeof(Guid), typeof(Uri), typeof(Version),
    ];

    private static readonly HashSet<Type> Collections =
    [
        typeof(List<>), typeof(IList<>), typeof(ICollection<>), typeof(IEnumerable<>), typeof(IReadOnlyList<>),
        typeof(IReadOnlyCollection<>), typeof(HashSet<>), typeof(ISet<>), typeof(Dictionary<,>), typeof(IDictionary<,>),
        typeof(IReadOnlyDictionary<,>), typeof(KeyValuePair<,>),
    ];

    private static readonly string[] Framework = ["System", "Microsoft", "mscorlib", "netstandard", "Newtonsoft"];

    private readonly ConcurrentDictionary<Type, string?> _known = new();

    /// <summary>Whether the worker provides the argument.</summary>
    public static bool IsInjected(Type type) =>
        type == typeof(IJobCancellationToken) || type == typeof(CancellationToken) || type == typeof(PerformContext);

    /// <summary>Why no argument can have the type; null if it can.</summary>
    public string? ProblemOf(Type type) => _known.GetOrAdd(type, t => Find(t, JobNames.Readable(t), []));

    /// <summary>Why a value loses something when it is passed as the type; null if it does not.</summary>
    public string? LossOf(object value, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return value.GetType() == type || IsValue(type) || type.IsArray || IsCollection(type) || HasConverter(type)
            ? null : $"a {JobNames.Readable(value.GetType())} is given for a {JobNames.Readable(type)}, and would arrive as that: declare "
                + "the parameter with the type of the argument";
    }

    private string? Find(Type type, string path, HashSet<Type> seen)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (IsValue(type) || HasConverter(type))
            return null;
        if (type.IsArray)
            return type.IsSZArray ? Find(type.GetElementType()!, $"{path}[]", seen) : $"{path} is an array of several dimensions";
        if (IsCollection(type))
            return FirstOf(type.GetGenericArguments().Select(a => Find(a, $"{JobNames.Readable(a)} in {path}", seen)));
        if (Refusal(type) is { } refusal)
            return $"{path} is {refusal}";
        if (!seen.Add(type))
            return null;
        return FirstOf(MembersOf(type).Select(m => Find(m.Type, $"{path}.{m.Name}", seen)));
    }

    private static string? FirstOf(IEnumerable<string?> problems) => problems.FirstOrDefault(p => p is not null);

    private static bool IsValue(Type type) =>
        (type.IsPrimitive && type != typeof(nint) && type != typeof(nuint)) || type.IsEnum || Values.Contains(type);

    private static bool IsCollection(Type type) => type.IsGenericType && Collections.Contains(type.GetGenericTypeDefinition());

    private bool HasConverter(Type type) => converters.Any(c => c.CanConvert(type));

    private static string? Refusal(Type type)
    {
        if (type == typeof(object))
            return "object, so the payload would have to name a type: declare the type";
        if (typeof(Delegate).IsAssignableFrom(type) || type.IsPointer || type.IsByRef || type.IsByRefLike)
            return "nothing that a payload can contain";
        if (type.IsInterface || type.IsAbstract)
            return "abstract, so the payload would have to name a type: declare the type";
        if (typeof(ISerializable).IsAssignableFrom(type))
            return "ISerializable, which runs code of its own when it is read: pass plain values";
        if (typeof(IEnumerable).IsAssignableFrom(type))
            return "a collection that is not supported: use List<T>, Dictionary<TKey, TValue> or an array";
        return IsOfFramework(type) ? "a type of the framework that is not supported: pass plain values" : null;
    }

    /// <summary>Whether a type is none of the application.</summary>
    public static bool IsOfFramework(Type type)
    {
        var assembly = type.Assembly.GetName().Name ?? "";
        return Framework.Any(f => assembly == f || assembly.StartsWith(f + ".", StringComparison.Ordinal));
    }

    /// <summary>What Newtonsoft.Json may fill: public members, those with an attribute, and parameters of constructors.</summary>
    private static IEnumerable<(string Name, Type Type)> MembersOf(Type type)
    {
        for (var declaring = type; declaring is not null && declaring != typeof(object); declaring = declaring.BaseType)
        {
            foreach (var property in declaring.GetProperties(Members | BindingFlags.DeclaredOnly)
                .Where(p => p.GetIndexParameters().Length == 0
                    && IsFilled(p, p.GetMethod?.IsPublic == true || p.SetMethod?.IsPublic == true)))
                yield return (property.Name, property.PropertyType);
            foreach (var field in declaring.GetFields(Members | BindingFlags.DeclaredOnly).Where(f => IsFilled(f, f.IsPublic)))
                yield return (field.Name, field.FieldType);
        }

        foreach (var parameter in type.GetConstructors(Members).Where(c => !IsCopy(c, type)
            && (c.IsPublic || c.IsDefined(typeof(JsonConstructorAttribute)))).SelectMany(c => c.GetParameters()))
            yield return (parameter.Name ?? "", parameter.ParameterType);
    }

    private static bool IsFilled(MemberInfo member, bool isPublic) =>
        !member.IsDefined(typeof(JsonIgnoreAttribute)) && !member.IsDefined(typeof(IgnoreDataMemberAttribute))
        && (isPublic || member.IsDefined(typeof(JsonPropertyAttribute)) || member.IsDefined(typeof(DataMemberAttribute)));

    private static bool IsCopy(ConstructorInfo constructor, Type type) =>
        constructor.GetParameters() is [var only] && only.ParameterType == type;
}
