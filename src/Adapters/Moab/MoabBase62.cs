namespace TaskQueue.Adapters.Moab;

/// <summary>
/// The text form of Moab's ids: bits packed into letters and digits, not a number written to the base 62 (moab.md 3).
/// Six bits at a time, lowest first; where bits 1 to 4 of the six are all set, which 62 symbols cannot tell apart, only
/// five of them are taken.
/// </summary>
internal static class MoabBase62
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private const int Crowded = 0x1E, Five = 0x1F, Six = 0x3F;

    /// <summary>The text of the low <paramref name="bits"/> bits of a value.</summary>
    public static string Encode(UInt128 value, int bits)
    {
        Span<char> text = stackalloc char[bits]; // more than are ever needed
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

    /// <summary>The value whose text this is, or null where no value of so many bits has it.</summary>
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

        // A value has one text: what is too long, too short or not as Encode writes it is no id.
        var isWhole = bits == 128 || value >> bits == 0;
        return isWhole && text.SequenceEqual(Encode(value, bits)) ? value : null;
    }
}
