namespace TaskQueue.Adapters.Moab;

/// <summary>
/// Text form of Moab's ids: bits packed into letters and digits, not a number in base 62 (moab.md 3). Takes six bits at a time,
/// lowest first; if bits 1 to 4 of the six are all set, which 62 symbols cannot distinguish, it takes only five.
/// </summary>
internal static class MoabBase62
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private const int Crowded = 0x1E, Five = 0x1F, Six = 0x3F;

    /// <summary>Encodes the low <paramref name="bits"/> bits of a value.</summary>
    public static string Encode(UInt128 value, int bits)
    {
        Span<char> text = stackalloc char[bits]; // upper bound
        var length = 0;
        while (bits > 0)
        {
            var symbol = (int)(value & Six);
            var taken = Math.Min(6, bits);
            if ((symbol & Crowded) == Crowded && (bits > 6 || symbol > Five))
                taken--;
            text[length++] = Alphabet[(symbol & Crowded) == Crowded ? symbol & Five : symbol];
            value >>= taken;
            bits -= taken;
        }

        return new string(text[..length]);
    }

    /// <summary>Decodes a text; null if no value of this many bits encodes to it.</summary>
    public static UInt128? Decode(ReadOnlySpan<char> text, int bits)
    {
        UInt128 value = 0;
        var position = 0;
        foreach (var letter in text)
        {
            var symbol = Alphabet.IndexOf(letter, StringComparison.Ordinal);
            if (symbol < 0 || position >= bits)
                return null;
            value |= (UInt128)symbol << position;
            position += (symbol & Crowded) == Crowded ? 5 : 6;
        }

        // The encoding is canonical: a text that is too long, too short or not produced by Encode is invalid.
        var isWhole = bits == 128 || value >> bits == 0;
        return isWhole && text.SequenceEqual(Encode(value, bits)) ? value : null;
    }
}
